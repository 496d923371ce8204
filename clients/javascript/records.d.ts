/** What is sent and what is answered. */

/** A number of points: exact, since no amount has more than 15 digits. */
export type Points = number;
/** A time as ISO 8601, in UTC with `Z` where the service answers it; one that is sent may have any offset. */
export type Time = string;
export type Metadata = Record<string, unknown>;

/** One page of a list; `iterate` goes through all of them. */
export interface List<Row> {
  object: "list";
  data: Row[];
  has_more: boolean;
}

export interface Cursor {
  /** 1 to 100. */
  limit?: number;
  /** Id of the last row of the page before. */
  starting_after?: string;
  /** Id of the first row of the page after. */
  ending_before?: string;
}

export interface PointsTransaction {
  id: string;
  object: "points_transaction";
  customer_id: string;
  type: "earned" | "redeemed" | "expired" | "adjusted" | "reversed" | "transferred";
  /** Signed. */
  points: Points;
  balance_after: Points;
  reason: string;
  reference: string | null;
  metadata: Metadata | null;
  expires_at: Time | null;
  created_at: Time;
}

export interface Award {
  /** The customer's id or your own `external_id`. */
  customer_id: string;
  points: Points;
  reason: string;
  type?: "purchase" | "bonus" | "referral" | "activity" | "manual";
  expires_at?: Time | null;
  reference?: string | null;
  metadata?: Metadata | null;
  /** Code of a kind of points. */
  definition?: string | null;
}

export interface Adjustment {
  customer_id: string;
  /** Signed. */
  points: Points;
  reason: string;
  reference?: string | null;
  metadata?: Metadata | null;
  definition?: string | null;
}

interface Spending {
  customer_id: string;
  reason?: string | null;
  metadata?: Metadata | null;
}

/** A reward, points, or both: then `points` is what the reward must cost. */
export type Redeeming = Spending &
  ({ reward_id: string; points?: Points | null } | { reward_id?: null; points: Points; definition?: string | null });

export interface TransactionQuery extends Cursor {
  customer_id: string;
  order?: "asc" | "desc";
  type?: PointsTransaction["type"];
  definition?: string;
}

export interface Redemption {
  id: string;
  object: "redemption";
  customer_id: string;
  reward_id: string | null;
  points: Points;
  /** What the customer shows, such as `REDEEM-7GQ4XN`. */
  code: string;
  /** In major units of `currency`. */
  discount_amount: number | null;
  discount_percent: number | null;
  currency: string;
  status: "active" | "used" | "cancelled" | "expired";
  balance_after: Points;
  expires_at: Time | null;
  used_at: Time | null;
  created_at: Time;
}

export interface Card {
  id: string;
  number: string;
  status: "active" | "inactive" | "blocked" | "expired";
  expires_at: Time | null;
  created_at: Time;
}

export interface Customer {
  id: string;
  object: "customer";
  email: string | null;
  name: string | null;
  phone: string | null;
  external_id: string | null;
  locale: string | null;
  points_balance: Points;
  pending_points: Points;
  held_points: Points;
  lifetime_points: Points;
  /** The tier's name. */
  tier: string | null;
  cards: Card[];
  metadata: Metadata;
  created_at: Time;
}

export interface CustomerFields {
  email?: string | null;
  name?: string | null;
  phone?: string | null;
  external_id?: string | null;
  locale?: string | null;
  metadata?: Metadata | null;
}

export interface CustomerQuery extends Cursor {
  email?: string;
  external_id?: string;
}

export interface Reward {
  id: string;
  object: "reward";
  name: string;
  description: string | null;
  category: string | null;
  points_cost: Points;
  /** Code of the kind of points. */
  definition: string;
  /** In major units of `currency`; or a part: not both. */
  discount_amount: number | null;
  discount_percent: number | null;
  currency: string;
  /** How many are left; null: no end. */
  stock: number | null;
  per_customer_limit: number | null;
  valid_from: Time | null;
  valid_to: Time | null;
  code_valid_days: number | null;
  min_tier: string | null;
  /** What becomes of the points of a code that is never used. */
  on_expiry: "returned" | "forfeited";
  active: boolean;
  created_at: Time;
}

export interface RewardFields {
  name?: string;
  description?: string | null;
  category?: string | null;
  points_cost?: Points;
  discount_amount?: number | null;
  discount_percent?: number | null;
  currency?: string | null;
  stock?: number | null;
  per_customer_limit?: number | null;
  valid_from?: Time | null;
  valid_to?: Time | null;
  code_valid_days?: number | null;
  min_tier?: string | null;
  on_expiry?: "returned" | "forfeited";
  active?: boolean;
}

export interface NewReward extends RewardFields {
  name: string;
  points_cost: Points;
  definition?: string | null;
}

export interface RewardQuery extends Cursor {
  active?: boolean;
  category?: string;
}

export interface Tier {
  id: string;
  object: "tier";
  code: string;
  name: string;
  rank: number;
  min_points: Points;
  multiplier: number;
  benefits: string[];
}

export interface Hold {
  id: string;
  object: "hold";
  customer_id: string;
  points: Points;
  captured_points: Points;
  status: "active" | "captured" | "released" | "lapsed";
  reference: string | null;
  metadata: Metadata | null;
  /** What captured it. */
  transaction_id: string | null;
  expires_at: Time;
  created_at: Time;
}

export interface NewHold {
  customer_id: string;
  points: Points;
  /** Seconds: 900, or what is sent, at most 7 days. */
  expires_in?: number | null;
  reference?: string | null;
  metadata?: Metadata | null;
  definition?: string | null;
}

export interface Transfer {
  id: string;
  object: "transfer";
  from_customer_id: string;
  to_customer_id: string;
  points: Points;
  reason: string;
  /** Ids of what left the one and of what came to the other. */
  transactions: string[];
  created_at: Time;
}

export interface NewTransfer {
  from_customer_id: string;
  to_customer_id: string;
  points: Points;
  reason: string;
  reference?: string | null;
  metadata?: Metadata | null;
  definition?: string | null;
}

/** Why a balance is what it is: what is left of the available lots, less `debt_points`. */
export interface Explanation {
  object: "explanation";
  customer_id: string;
  definition: string;
  at: Time;
  points_balance: Points;
  pending_points: Points;
  held_points: Points;
  debt_points: Points;
  lifetime_points: Points;
  /** In the order of spending. */
  lots: ExplainedLot[];
  has_more_lots: boolean;
  holds: { id: string; points: Points; reference: string | null; expires_at: Time }[];
  expiring: { points: Points; expires_at: Time }[];
  tier: ExplainedTier | null;
}

/** Points that came together and end together. */
export interface ExplainedLot {
  transaction_id: string;
  /** As the ledger calls it: `award`, `transfer`, … */
  type: string;
  reason: string;
  reference: string | null;
  origin: string | null;
  points: Points;
  left: Points;
  held: Points;
  status: "available" | "pending";
  active_from: Time | null;
  expires_at: Time | null;
  /** Transactions that they paid; points below zero were given back. */
  paid: { transaction_id: string; type: string; reason: string; points: Points; created_at: Time }[];
  has_more_paid: boolean;
}

/** The tier by its name, and how it comes about. */
export interface ExplainedTier {
  name: string | null;
  basis: string;
  points: Points;
  counted: { month: string; points: Points }[];
  min_points: Points | null;
  since: Time | null;
  until: Time | null;
  points_to_keep: Points;
  projected: string | null;
  next: string | null;
  points_to_next: Points | null;
}
