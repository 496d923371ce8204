/** The running service that the tests call, as `make run` or tests/clients names it in the environment. */

import { Loyalty } from "../index.js";

/** @param {string} name */
function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`set ${name}: see "Tests" in the README`);
  return value;
}

export const baseUrl = setting("LOYALTY_URL");
export const secret = setting("LOYALTY_API_SECRET");
export const client = new Loyalty({ baseUrl, secret });

/** Nobody has these in another run. */
export const run = Date.now().toString(36);

/**
 * A customer of their own for a test.
 * @param {number} points
 */
export async function customerWith(points) {
  const customer = await client.customers.create({ name: "Alice" });
  if (points > 0) await client.points.award({ customer_id: customer.id, points, reason: "Welcome" });
  return customer;
}

/**
 * What a list has, page after page.
 * @template Row
 * @param {AsyncIterable<Row>} rows
 */
export async function all(rows) {
  const found = [];
  for await (const row of rows) found.push(row);
  return found;
}
