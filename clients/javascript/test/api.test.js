import assert from "node:assert/strict";
import { test } from "node:test";

import { AuthenticationError, InvalidRequestError, Loyalty } from "../index.js";
import { all, baseUrl, client, customerWith, run } from "./service.js";

/**
 * @param {Promise<unknown>} call
 * @param {number} status
 * @param {string} code
 */
async function refused(call, status, code) {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof InvalidRequestError, String(error));
    assert.deepEqual([error.type, error.status, error.code], ["invalid_request_error", status, code]);
    assert.ok(error.message && error.requestId);
    return true;
  });
}

/** @param {Partial<import("../index.js").NewReward>} more */
function makeReward(more = {}) {
  return client.rewards.create({ name: "Coffee", points_cost: 200, discount_amount: 2.5, ...more });
}

test("customers are made, found, changed and listed", async () => {
  const made = await client.customers.create({
    email: `alice-${run}@example.com`,
    name: "Alice",
    external_id: `alice/${run} №1`,
    metadata: { shoe_size: 39.5 },
  });
  assert.equal(made.object, "customer");
  assert.equal(made.points_balance, 0);
  assert.deepEqual(await client.customers.retrieve(made.id), made);

  const changed = await client.customers.update(made.id, { name: "Alice B.", metadata: null });
  assert.equal(changed.name, "Alice B.");
  assert.equal(changed.email, made.email);
  const found = await client.customers.list({ email: `ALICE-${run}@example.com` });
  assert.deepEqual(found.data.map((customer) => customer.id), [made.id]);
  assert.equal(found.has_more, false);
  const again = client.customers.create({ email: `Alice-${run}@example.com` });
  await refused(again, 409, "customer_exists");
});

test("a customer is named by the shop's own id, too", async () => {
  const external_id = `till ${run}+1?№=%20#a`;
  const made = await client.customers.create({ external_id });
  assert.equal((await client.customers.retrieve(external_id)).id, made.id);
  const transaction = await client.points.award({ customer_id: external_id, points: 5, reason: "Purchase" });
  assert.equal(transaction.customer_id, made.id);
});

test("points are awarded and adjusted", async () => {
  const { id: customer_id } = await customerWith(0);
  const expires_at = "2099-01-31T10:00:00+02:00";
  const earned = await client.points.award({
    customer_id,
    points: 100,
    reason: "Purchase",
    type: "bonus",
    expires_at,
    metadata: { order_id: "order_1", amount: 10000 },
  });
  assert.deepEqual([earned.object, earned.type, earned.points], ["points_transaction", "earned", 100]);
  assert.equal(earned.expires_at, "2099-01-31T08:00:00Z");
  assert.deepEqual(earned.metadata, { order_id: "order_1", amount: 10000 });
  const adjusted = await client.points.adjust({ customer_id, points: -30, reason: "Counted wrong" });
  assert.deepEqual([adjusted.type, adjusted.points, adjusted.balance_after], ["adjusted", -30, 100 - 30]);
  assert.equal((await client.customers.retrieve(customer_id)).points_balance, 100 - 30);
});

test("a refusal says what is wrong and where", async () => {
  const { id: customer_id } = await customerWith(10);
  await refused(client.points.award({ customer_id, points: -1, reason: "Purchase" }), 400, "parameter_invalid");
  await refused(client.points.award({ customer_id: "nobody", points: 1, reason: "Purchase" }), 404, "customer_not_found");
  await assert.rejects(client.points.award({ customer_id, points: 0.001, reason: "Purchase" }), { param: "points" });
  const stranger = new Loyalty({ baseUrl, secret: "sk_test_nobody" });
  await assert.rejects(stranger.customers.retrieve(customer_id), AuthenticationError);
  assert.equal((await client.customers.retrieve(customer_id)).points_balance, 10);
});

test("lists go on by themselves, in either order and from a row", async () => {
  const { id: customer_id } = await customerWith(0);
  for (let points = 1; points <= 7; points++) {
    await client.points.award({ customer_id, points, reason: "Purchase" });
  }
  const newest = await all(client.points.iterate({ customer_id, limit: 3 }));
  assert.deepEqual(newest.map((transaction) => transaction.points), [7, 6, 5, 4, 3, 2, 1]);
  const oldest = await all(client.points.iterate({ customer_id, limit: 3, order: "asc" }));
  assert.deepEqual(oldest, newest.toReversed());
  const rest = client.points.iterate({ customer_id, limit: 3, starting_after: String(newest[1]?.id) });
  assert.deepEqual(await all(rest), newest.slice(2));

  const page = await client.points.list({ customer_id, limit: 3 });
  assert.deepEqual(page, { object: "list", data: newest.slice(0, 3), has_more: true });
  const before = await client.points.list({ customer_id, limit: 3, ending_before: String(newest[5]?.id) });
  assert.deepEqual(before.data, newest.slice(2, 5));
  assert.deepEqual(await all(client.points.iterate({ customer_id, type: "redeemed" })), []);
  // @ts-expect-error: it would turn round in the middle.
  await assert.rejects(all(client.points.iterate({ customer_id, ending_before: "x" })), TypeError);
});

test("many customers are listed page after page, the newest first", async () => {
  const made = [];
  for (let n = 0; n < 5; n++) made.push((await customerWith(0)).id);
  const found = [];
  for await (const customer of client.customers.iterate({ limit: 2 })) {
    // Others may make some meanwhile.
    if (made.includes(customer.id)) found.push(customer.id);
    if (found.length === made.length) break;
  }
  assert.deepEqual(found, made.reverse());
});

test("tiers are listed", async () => {
  const tiers = await client.tiers.list();
  assert.equal(tiers.object, "list");
  assert.equal(tiers.has_more, false);
  for (const tier of tiers.data) assert.equal(tier.object, "tier");
});

test("rewards are made, changed and listed", async () => {
  const made = await makeReward({ category: run, stock: 5 });
  assert.deepEqual([made.object, made.points_cost, made.discount_amount, made.stock], ["reward", 200, 2.5, 5]);
  assert.deepEqual(await client.rewards.retrieve(made.id), made);
  const changed = await client.rewards.update(made.id, { stock: null, active: false });
  assert.deepEqual([changed.stock, changed.active, changed.name], [null, false, "Coffee"]);
  const other = await makeReward({ category: run });
  const found = await all(client.rewards.iterate({ category: run, limit: 1 }));
  assert.deepEqual(new Set(found.map((reward) => reward.id)), new Set([made.id, other.id]));
  const active = await client.rewards.list({ category: run, active: true });
  assert.deepEqual(active.data.map((reward) => reward.id), [other.id]);
});

test("points become a code, which is used once", async () => {
  const { id: customer_id } = await customerWith(500);
  const { id: reward_id } = await makeReward();
  const redemption = await client.points.redeem({ customer_id, reward_id, points: 200 });
  assert.match(redemption.code, /^REDEEM-/);
  assert.deepEqual([redemption.points, redemption.discount_amount, redemption.balance_after], [200, 2.5, 500 - 200]);
  assert.equal((await client.redemptions.retrieve(redemption.code)).id, redemption.id);
  assert.equal((await client.redemptions.use(redemption.code)).status, "used");
  await refused(client.redemptions.use(redemption.id), 409, "already_used");
  await refused(client.points.redeem({ customer_id, reward_id, points: 199 }), 400, "price_mismatch");
  await refused(client.points.redeem({ customer_id, points: 301 }), 400, "insufficient_balance");
  assert.equal((await client.customers.retrieve(customer_id)).points_balance, 500 - 200);
});

test("a code is cancelled, and its points come back", async () => {
  const { id: customer_id } = await customerWith(500);
  const redemption = await client.points.redeem({ customer_id, points: 200, reason: "Coffee" });
  assert.equal((await client.redemptions.cancel(redemption.id)).status, "cancelled");
  assert.equal((await client.customers.retrieve(customer_id)).points_balance, 500);
});

test("points are held, captured and released", async () => {
  const { id: customer_id } = await customerWith(500);
  const hold = await client.holds.create({ customer_id, points: 300, expires_in: 600, reference: "basket" });
  assert.deepEqual([hold.object, hold.status, hold.points], ["hold", "active", 300]);
  assert.equal((await client.customers.retrieve(customer_id)).held_points, 300);
  const captured = await client.holds.capture(hold.id, { points: 250 });
  assert.deepEqual([captured.status, captured.captured_points], ["captured", 250]);
  assert.deepEqual(await client.holds.retrieve(hold.id), captured);
  await refused(client.holds.release(hold.id), 409, "hold_resolved");

  const all = await client.holds.capture((await client.holds.create({ customer_id, points: 50 })).id);
  assert.equal(all.captured_points, 50);
  const released = await client.holds.release((await client.holds.create({ customer_id, points: 100 })).id);
  assert.equal(released.status, "released");
  const customer = await client.customers.retrieve(customer_id);
  assert.deepEqual([customer.points_balance, customer.held_points], [500 - 250 - 50, 0]);
});

test("points are transferred", async () => {
  const { id: from_customer_id } = await customerWith(100);
  const { id: to_customer_id } = await customerWith(0);
  const transfer = await client.transfers.create({ from_customer_id, to_customer_id, points: 40, reason: "A present" });
  assert.deepEqual([transfer.object, transfer.points, transfer.transactions.length], ["transfer", 40, 2]);
  assert.equal((await client.customers.retrieve(from_customer_id)).points_balance, 100 - 40);
  assert.equal((await client.customers.retrieve(to_customer_id)).points_balance, 40);
});

test("two customers who are one are merged", async () => {
  const { id } = await customerWith(30);
  const { id: into } = await customerWith(10);
  const merged = await client.customers.merge(id, { into });
  assert.deepEqual([merged.id, merged.points_balance], [into, 10 + 30]);
});

test("a balance is explained", async () => {
  const { id: customer_id } = await customerWith(30);
  const award = await client.points.award({ customer_id, points: 12, reason: "Purchase", reference: "order_1" });
  const hold = await client.holds.create({ customer_id, points: 5 });
  const explanation = await client.customers.explain(customer_id);
  assert.deepEqual([explanation.points_balance, explanation.held_points], [30 + 12 - 5, 5]);
  const newer = explanation.lots.at(-1);
  assert.deepEqual([newer?.transaction_id, newer?.reference, newer?.left], [award.id, "order_1", 12]);
  assert.deepEqual(explanation.holds.map((held) => held.id), [hold.id]);
  await refused(client.customers.explain(customer_id, { definition: "money" }), 400, "parameter_invalid");
});

test("a person is erased", async () => {
  const { id: customer_id } = await customerWith(30);
  assert.equal(await client.customers.erase(customer_id), undefined);
  await refused(client.customers.retrieve(customer_id), 404, "customer_not_found");
  await refused(client.customers.erase(customer_id), 404, "customer_not_found");
});
