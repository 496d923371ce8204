"""The till: a member of staff finds the customer at the counter, awards, redeems, and takes codes, each by one click.

`pages` are its addresses, `finding` the search, `showing` what is seen, `deeds` what is posted from which of the
`forms`. It goes by one programme at a time, which its addresses name.
"""
