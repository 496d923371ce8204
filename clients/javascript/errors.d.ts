export type ErrorType =
  | "invalid_request_error"
  | "authentication_error"
  | "permission_error"
  | "rate_limit_error"
  | "api_error";

/** What every failure of a call is: the service's refusal, or that there was no answer. */
export class LoyaltyError extends Error {
  /** Null where the service did not answer, or something before it did. */
  readonly type: ErrorType | null;
  /** Such as `insufficient_balance`. */
  readonly code: string | null;
  /** The HTTP status. */
  readonly status: number | null;
  /** The field at fault. */
  readonly param: string | null;
  /** Names the request in the service's log. */
  readonly requestId: string | null;
  /** Seconds. */
  readonly retryAfter: number | null;
  /** What a POST was sent with: with the same key and body it can be called again and still happens once. */
  readonly idempotencyKey: string | null;
  /** What else the service tells, such as `required_permissions` or `current_balance`. */
  readonly details: Record<string, unknown>;
}

/** 400, 404, 409, 422: the request cannot be done as it is; `code` says why and `param` names the field. */
export class InvalidRequestError extends LoyaltyError {}
/** 401: the secret is missing, wrong, revoked or expired. */
export class AuthenticationError extends LoyaltyError {}
/** 403: the key lacks the scope that the call needs, or the programme does not allow it. */
export class PermissionDeniedError extends LoyaltyError {}
/** 429: too many; `retryAfter` says in how many seconds it goes on. */
export class RateLimitError extends LoyaltyError {}
/** 5xx, or an answer that is none of this API's. */
export class ApiError extends LoyaltyError {}
/** The service could not be reached, or the connection broke before the answer was there. */
export class ConnectionFailedError extends LoyaltyError {}
/** The answer did not come in time. */
export class TimedOutError extends ConnectionFailedError {}
