import type {
  Adjustment,
  Award,
  Customer,
  CustomerFields,
  CustomerQuery,
  Explanation,
  Hold,
  List,
  NewHold,
  NewReward,
  NewTransfer,
  Points,
  PointsTransaction,
  Redeeming,
  Redemption,
  Reward,
  RewardFields,
  RewardQuery,
  Tier,
  TransactionQuery,
  Transfer,
} from "./records.d.ts";

export * from "./errors.js";
export type * from "./records.d.ts";

export interface Settings {
  /** The service's address, such as `https://loyalty.example`: what comes before `/v1`. */
  baseUrl: string;
  /** An API key's secret. */
  secret: string;
  /** Milliseconds that one try may take. Default: 30,000. */
  timeout?: number;
  /** How often a call is tried again. Default: 3. */
  maxRetries?: number;
  /** The longest `Retry-After` that is waited for, in milliseconds; beyond it the call fails. Default: 60,000. */
  maxRetryWait?: number;
}

export interface Options {
  timeout?: number;
  maxRetries?: number;
  /** Ends the call, also between two tries, with the signal's reason. */
  signal?: AbortSignal;
}

export interface PostOptions extends Options {
  /** A key of your own for this deed, such as the order's number; otherwise one is made. 1 to 255 ASCII characters. */
  idempotencyKey?: string;
}

type Forwards<Query> = Omit<Query, "ending_before">;

/** The API as one object. Where a customer is named, the id and your own `external_id` do alike. */
export class Loyalty {
  constructor(settings: Settings);

  readonly points: {
    award(award: Award, options?: PostOptions): Promise<PointsTransaction>;
    redeem(redeeming: Redeeming, options?: PostOptions): Promise<Redemption>;
    adjust(adjustment: Adjustment, options?: PostOptions): Promise<PointsTransaction>;
    list(query: TransactionQuery, options?: Options): Promise<List<PointsTransaction>>;
    iterate(query: Forwards<TransactionQuery>, options?: Options): AsyncGenerator<PointsTransaction, void, undefined>;
  };

  readonly customers: {
    create(customer?: CustomerFields, options?: PostOptions): Promise<Customer>;
    retrieve(customer: string, options?: Options): Promise<Customer>;
    /** Changes what is sent; null empties a field. */
    update(customer: string, changes: CustomerFields, options?: Options): Promise<Customer>;
    list(query?: CustomerQuery, options?: Options): Promise<List<Customer>>;
    iterate(query?: Forwards<CustomerQuery>, options?: Options): AsyncGenerator<Customer, void, undefined>;
    /** Moves everything to `into`, the customer who stays and who is answered. */
    merge(customer: string, body: { into: string }, options?: PostOptions): Promise<Customer>;
    /** Erases the person and keeps the ledger; the points are forfeited. */
    erase(customer: string, options?: Options): Promise<void>;
    /** Answers why a balance is what it is. */
    explain(customer: string, query?: { definition?: string }, options?: Options): Promise<Explanation>;
  };

  readonly rewards: {
    create(reward: NewReward, options?: PostOptions): Promise<Reward>;
    retrieve(reward: string, options?: Options): Promise<Reward>;
    /** Changes what is sent; null empties a field. */
    update(reward: string, changes: RewardFields, options?: Options): Promise<Reward>;
    list(query?: RewardQuery, options?: Options): Promise<List<Reward>>;
    iterate(query?: Forwards<RewardQuery>, options?: Options): AsyncGenerator<Reward, void, undefined>;
  };

  /** Each takes the redemption's id or its code. */
  readonly redemptions: {
    retrieve(redemption: string, options?: Options): Promise<Redemption>;
    use(redemption: string, options?: PostOptions): Promise<Redemption>;
    cancel(redemption: string, options?: PostOptions): Promise<Redemption>;
  };

  readonly tiers: {
    list(query?: Record<string, never>, options?: Options): Promise<List<Tier>>;
  };

  readonly holds: {
    create(hold: NewHold, options?: PostOptions): Promise<Hold>;
    retrieve(hold: string, options?: Options): Promise<Hold>;
    /** Spends the points, or so many of them, and gives back the rest. */
    capture(hold: string, body?: { points?: Points | null; reason?: string | null }, options?: PostOptions): Promise<Hold>;
    release(hold: string, options?: PostOptions): Promise<Hold>;
  };

  readonly transfers: {
    create(transfer: NewTransfer, options?: PostOptions): Promise<Transfer>;
  };
}
