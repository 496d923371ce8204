import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";

import {
  ApiError,
  ConnectionFailedError,
  InvalidRequestError,
  Loyalty,
  LoyaltyError,
  RateLimitError,
  TimedOutError,
} from "../index.js";
import { Proxy } from "./proxy.js";
import { baseUrl, client, customerWith, secret } from "./service.js";

const proxy = new Proxy(baseUrl);
/** @type {Loyalty} */
let proxied;
/** @type {import("../index.js").Customer} */
let alice;

before(async () => {
  proxied = new Loyalty({ baseUrl: await proxy.listen(), secret });
});

after(() => proxy.close());

beforeEach(async () => {
  alice = await customerWith(0);
  proxy.next = [];
  proxy.seen = [];
});

const purchase = () => ({ customer_id: alice.id, points: 100, reason: "Purchase" });

/** @returns {Promise<number[]>} the points of all that was posted */
async function posted() {
  const history = await client.points.list({ customer_id: alice.id });
  return history.data.map((transaction) => transaction.points);
}

/**
 * What a call fails with.
 * @param {Promise<unknown>} call
 * @returns {Promise<LoyaltyError>}
 */
async function failure(call) {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof LoyaltyError, String(error));
    return error;
  }
  return assert.fail("it did not fail");
}

test("posts once where the answer is lost, again and again", async () => {
  proxy.next = ["lose", "lose"];
  const transaction = await proxied.points.award(purchase());
  assert.equal(transaction.balance_after, 100);
  assert.equal(proxy.seen.length, 3);
  assert.equal(new Set(proxy.keys).size, 1);
  assert.match(String(proxy.keys[0]), /^[0-9a-f]{32}$/);
  assert.deepEqual(await posted(), [100]);
});

test("posts once where the answer does not come in time", async () => {
  proxy.next = ["hang"];
  const transaction = await proxied.points.award(purchase(), { timeout: 3000 });
  assert.equal(transaction.balance_after, 100);
  assert.equal(new Set(proxy.keys).size, 1);
  assert.deepEqual(await posted(), [100]);
});

test("makes a key for each call", async () => {
  await proxied.points.award(purchase());
  await proxied.points.award(purchase());
  assert.equal(new Set(proxy.keys).size, 2);
  assert.deepEqual(await posted(), [100, 100]);
});

test("posts once under a key of the caller's", async () => {
  const first = await proxied.points.award(purchase(), { idempotencyKey: "order 1" });
  assert.deepEqual(await proxied.points.award(purchase(), { idempotencyKey: "order 1" }), first);
  assert.deepEqual(proxy.keys, ["order 1", "order 1"]);
  assert.deepEqual(await posted(), [100]);
});

test("tells the key of what may have been posted, with which it can be called again", async () => {
  proxy.next = ["lose"];
  const error = await failure(proxied.points.award(purchase(), { maxRetries: 0 }));
  assert.ok(error instanceof ConnectionFailedError && !(error instanceof TimedOutError));
  assert.equal(error.idempotencyKey, proxy.keys[0]);
  assert.equal(error.status, null);
  const transaction = await client.points.award(purchase(), { idempotencyKey: String(error.idempotencyKey) });
  assert.equal(transaction.balance_after, 100);
  assert.deepEqual(await posted(), [100]);
});

test("erases once where the answer is lost", async () => {
  proxy.next = ["lose"];
  await proxied.customers.erase(alice.id);
  assert.equal(proxy.seen.length, 2);
  await assert.rejects(proxied.customers.retrieve(alice.id), { code: "customer_not_found" });
});

test("says that the answer did not come in time", async () => {
  proxy.next = ["hang"];
  const error = await failure(proxied.customers.retrieve(alice.id, { timeout: 200, maxRetries: 0 }));
  assert.ok(error instanceof TimedOutError);
  assert.equal(error.idempotencyKey, null);
});

test("gives up after the last try", async () => {
  proxy.next = ["lose", "lose", "lose"];
  const error = await failure(proxied.customers.retrieve(alice.id, { maxRetries: 2 }));
  assert.ok(error instanceof ConnectionFailedError);
  assert.equal(proxy.seen.length, 3);
});

for (const status of [429, 500, 502, 503, 504]) {
  test(`tries again after ${status}`, async () => {
    proxy.next = [{ status, body: "<h1>One moment</h1>" }];
    await proxied.points.award(purchase());
    assert.equal(new Set(proxy.keys).size, 1);
    assert.equal(proxy.seen.length, 2);
    assert.deepEqual(await posted(), [100]);
  });
}

for (const status of [301, 400, 401, 403, 404, 408, 409, 422]) {
  test(`does not try again after ${status}`, async () => {
    proxy.next = [{ status, headers: { Location: baseUrl } }];
    const error = await failure(proxied.points.award(purchase()));
    assert.equal(error.status, status);
    assert.deepEqual(proxy.keys, [error.idempotencyKey]);
    assert.deepEqual(await posted(), []);
  });
}

test("waits as long as the service says", async () => {
  proxy.next = [{ status: 429, headers: { "Retry-After": "1" } }];
  await proxied.points.award(purchase());
  const [first, second] = proxy.seen.map((request) => request.at);
  assert.ok(Number(second) - Number(first) > 1000 - 5);
});

test("fails at once where that is too long", async () => {
  proxy.next = [{ status: 429, headers: { "Retry-After": "61" } }];
  const error = await failure(proxied.points.award(purchase()));
  assert.ok(error instanceof RateLimitError);
  assert.equal(error.retryAfter, 61);
  assert.equal(proxy.seen.length, 1);
});

test("reads a date, and the body where a page may not see the header", async () => {
  const later = new Date(Date.now() + 100_000).toUTCString();
  proxy.next = [{ status: 503, headers: { "Retry-After": later } }];
  const dated = await failure(proxied.tiers.list());
  assert.ok(dated instanceof ApiError && Number(dated.retryAfter) > 90 && Number(dated.retryAfter) <= 100);
  const body = { error: { type: "rate_limit_error", code: "rate_limited", message: "No.", param: null, retry_after: 99 } };
  proxy.next = [{ status: 429, body: JSON.stringify(body) }];
  const told = await failure(proxied.tiers.list());
  assert.equal(told.retryAfter, 99);
  assert.equal(told.message, "No.");
});

test("waits longer from try to try", async () => {
  proxy.next = [{ status: 503 }, { status: 503 }, { status: 503 }];
  await proxied.tiers.list();
  const at = proxy.seen.map((request) => request.at);
  const waits = at.slice(1).map((time, index) => time - Number(at[index]));
  // A timer may ring a moment early.
  [250, 500, 1000].forEach((least, index) => assert.ok(Number(waits[index]) > least - 5, `${waits}`));
});

test("waits a random moment more, so that those who failed together do not meet again", async (t) => {
  t.mock.method(Math, "random", () => 0.99);
  proxy.next = [{ status: 503 }];
  await proxied.tiers.list();
  const [first, second] = proxy.seen.map((request) => request.at);
  assert.ok(Number(second) - Number(first) > 250 + 0.99 * 250 - 5);
});

/**
 * What ends a call a moment after so many tries have come to the proxy.
 * @param {number} tries
 * @param {Error} reason
 */
function abortAfterTry(tries, reason) {
  const controller = new AbortController();
  const look = () => {
    if (proxy.seen.length < tries) setTimeout(look, 5);
    else setTimeout(() => controller.abort(reason), 100);
  };
  look();
  return controller.signal;
}

test("ends when its caller ends it, during a try and between two", async () => {
  const reason = new Error("the page was closed");
  const started = performance.now();
  proxy.next = ["hang"];
  await assert.rejects(proxied.tiers.list({}, { signal: abortAfterTry(1, reason) }), reason);
  proxy.next = [{ status: 503, headers: { "Retry-After": "30" } }];
  await assert.rejects(proxied.tiers.list({}, { signal: abortAfterTry(2, reason) }), reason);
  await assert.rejects(proxied.tiers.list({}, { signal: AbortSignal.abort(reason) }), reason);
  await assert.rejects(proxied.tiers.list({}, { signal: AbortSignal.abort(null) }), (error) => error === null);
  assert.equal(proxy.seen.length, 2);
  assert.ok(performance.now() - started < 10_000);
});

test("says so where something else answers", async () => {
  proxy.next = [{ status: 200, body: "<h1>Welcome to the network</h1>" }];
  const error = await failure(proxied.tiers.list());
  assert.ok(error instanceof ApiError);
  assert.equal(error.status, 200);
  proxy.next = [{ status: 404, body: "null" }];
  assert.ok((await failure(proxied.tiers.list())) instanceof InvalidRequestError);
});

test("tries again where nobody listens", async () => {
  const nowhere = new Loyalty({ baseUrl: "http://127.0.0.1:1", secret, maxRetries: 1 });
  const started = performance.now();
  const error = await failure(nowhere.tiers.list());
  assert.ok(error instanceof ConnectionFailedError);
  assert.ok(performance.now() - started >= 250);
});
