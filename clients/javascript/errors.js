/** What a call can fail with: a class for each `type` of the API's errors, and two for no answer at all. */

/** What every failure of a call is: the service's refusal, or that there was no answer. */
export class LoyaltyError extends Error {
  constructor(message, facts = {}, options = undefined) {
    super(message, options);
    this.name = new.target.name;
    this.type = facts.type ?? null;
    this.code = facts.code ?? null;
    this.status = facts.status ?? null;
    this.param = facts.param ?? null;
    this.requestId = facts.requestId ?? null;
    this.retryAfter = facts.retryAfter ?? null;
    this.idempotencyKey = facts.idempotencyKey ?? null;
    this.details = facts.details ?? {};
  }
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

export const ERRORS_BY_TYPE = {
  invalid_request_error: InvalidRequestError,
  authentication_error: AuthenticationError,
  permission_error: PermissionDeniedError,
  rate_limit_error: RateLimitError,
  api_error: ApiError,
};
