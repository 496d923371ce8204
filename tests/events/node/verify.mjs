// Reads {secret, headers, body} as JSON and says whether the npm package takes the signature.
import { Webhook } from "standardwebhooks";

let input = "";
for await (const part of process.stdin) input += part;
const { secret, headers, body } = JSON.parse(input);
try {
  console.log(JSON.stringify({ event: new Webhook(secret).verify(body, headers) }));
} catch (error) {
  console.log(JSON.stringify({ refused: error.message }));
}
