import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { Loyalty } from "../index.js";
import { baseUrl, client, secret } from "./service.js";

for (const address of ["", "shop.example", "ftp://shop.example", "http://me:pw@shop.example", "http://shop.example/?a=1"]) {
  test(`refuses ${address || "no address"}`, () => {
    assert.throws(() => new Loyalty({ baseUrl: address, secret }), TypeError);
  });
}

for (const bad of ["", "sk_live_a\nb", "sk live", "schlüssel"]) {
  test(`refuses the secret ${JSON.stringify(bad)}`, () => {
    assert.throws(() => new Loyalty({ baseUrl, secret: bad }), TypeError);
  });
}

for (const limits of [{ timeout: 0 }, { timeout: Infinity }, { timeout: NaN }, { maxRetries: -1 }, { maxRetryWait: 1e12 }]) {
  test(`refuses ${inspect(limits)}`, () => {
    assert.throws(() => new Loyalty({ baseUrl, secret, ...limits }), RangeError);
  });
}

test("takes an address that ends in a slash", async () => {
  const tiers = await new Loyalty({ baseUrl: `${baseUrl}/`, secret }).tiers.list();
  assert.equal(tiers.object, "list");
});

test("does not show its secret", () => {
  assert.ok(!inspect(client, { depth: 9, showHidden: true }).includes(secret));
  assert.ok(!JSON.stringify(client).includes(secret));
});

for (const id of ["", ".", ".."]) {
  test(`sends nothing for the id ${JSON.stringify(id)}`, async () => {
    await assert.rejects(client.customers.erase(id), TypeError);
  });
}

for (const idempotencyKey of ["", "x".repeat(256), "Bestellung №1", "a\nb"]) {
  test(`refuses the key ${JSON.stringify(idempotencyKey).slice(0, 20)}`, async () => {
    await assert.rejects(client.customers.create({}, { idempotencyKey }), TypeError);
  });
}
