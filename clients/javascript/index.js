/**
 * Calls the customers API (`/v1`) of a loyalty-points service, from Node 20 and from browsers.
 *
 * Every POST carries an Idempotency-Key that its retries repeat, so whatever gets lost on the way is posted once.
 */

import { Connection, segment } from "./connection.js";

export {
  ApiError,
  AuthenticationError,
  ConnectionFailedError,
  InvalidRequestError,
  LoyaltyError,
  PermissionDeniedError,
  RateLimitError,
  TimedOutError,
} from "./errors.js";

/** The API as one object: `new Loyalty({ baseUrl, secret })`; see the README for the other settings. */
export class Loyalty {
  constructor(settings) {
    const connection = new Connection(settings);
    this.points = new Points(connection);
    this.customers = new Customers(connection);
    this.rewards = new Rewards(connection);
    this.redemptions = new Redemptions(connection);
    this.tiers = new Tiers(connection);
    this.holds = new Holds(connection);
    this.transfers = new Transfers(connection);
  }
}

class Resource {
  constructor(connection) {
    this.connection = connection;
  }
}

class Points extends Resource {
  async award(body, options) {
    return this.connection.post("/points/award", body, options);
  }

  async redeem(body, options) {
    return this.connection.post("/points/redeem", body, options);
  }

  async adjust(body, options) {
    return this.connection.post("/points/adjust", body, options);
  }

  async list(query, options) {
    return this.connection.get("/points", query, options);
  }

  iterate(query, options) {
    return iterate((page) => this.list(page, options), query);
  }
}

class Customers extends Resource {
  async create(body, options) {
    return this.connection.post("/customers", body, options);
  }

  async retrieve(customer, options) {
    return this.connection.get(`/customers/${segment(customer)}`, undefined, options);
  }

  async update(customer, body, options) {
    return this.connection.patch(`/customers/${segment(customer)}`, body, options);
  }

  async list(query, options) {
    return this.connection.get("/customers", query, options);
  }

  iterate(query, options) {
    return iterate((page) => this.list(page, options), query);
  }

  async merge(customer, body, options) {
    return this.connection.post(`/customers/${segment(customer)}/merge`, body, options);
  }

  async erase(customer, options) {
    await this.connection.delete(`/customers/${segment(customer)}`, options);
  }

  async explain(customer, query, options) {
    return this.connection.get(`/customers/${segment(customer)}/explain`, query, options);
  }
}

class Rewards extends Resource {
  async create(body, options) {
    return this.connection.post("/rewards", body, options);
  }

  async retrieve(reward, options) {
    return this.connection.get(`/rewards/${segment(reward)}`, undefined, options);
  }

  async update(reward, body, options) {
    return this.connection.patch(`/rewards/${segment(reward)}`, body, options);
  }

  async list(query, options) {
    return this.connection.get("/rewards", query, options);
  }

  iterate(query, options) {
    return iterate((page) => this.list(page, options), query);
  }
}

class Redemptions extends Resource {
  async retrieve(redemption, options) {
    return this.connection.get(`/redemptions/${segment(redemption)}`, undefined, options);
  }

  async use(redemption, options) {
    return this.connection.post(`/redemptions/${segment(redemption)}/use`, {}, options);
  }

  async cancel(redemption, options) {
    return this.connection.post(`/redemptions/${segment(redemption)}/cancel`, {}, options);
  }
}

class Tiers extends Resource {
  async list(query, options) {
    return this.connection.get("/tiers", query, options);
  }
}

class Holds extends Resource {
  async create(body, options) {
    return this.connection.post("/holds", body, options);
  }

  async retrieve(hold, options) {
    return this.connection.get(`/holds/${segment(hold)}`, undefined, options);
  }

  async capture(hold, body, options) {
    return this.connection.post(`/holds/${segment(hold)}/capture`, body, options);
  }

  async release(hold, options) {
    return this.connection.post(`/holds/${segment(hold)}/release`, {}, options);
  }
}

class Transfers extends Resource {
  async create(body, options) {
    return this.connection.post("/transfers", body, options);
  }
}

async function* iterate(list, query = {}) {
  if (query.ending_before !== undefined) {
    throw new TypeError("iterate() goes on from starting_after; ending_before is for list()");
  }
  let from = query.starting_after;
  for (;;) {
    const page = await list({ ...query, starting_after: from });
    yield* page.data;
    if (!page.has_more || page.data.length === 0) return;
    from = page.data.at(-1).id;
  }
}
