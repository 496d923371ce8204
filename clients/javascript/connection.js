/** One request and its retries: what is sent, what is tried again and when, what an answer means. */

import {
  ApiError,
  AuthenticationError,
  ConnectionFailedError,
  ERRORS_BY_TYPE,
  InvalidRequestError,
  LoyaltyError,
  PermissionDeniedError,
  RateLimitError,
  TimedOutError,
} from "./errors.js";

const API = "/v1";
const SECONDS = 1000;
const FIRST_WAIT = 0.25 * SECONDS;
const LONGEST_BACKOFF = 8 * SECONDS;
// A timer that is set for longer rings at once.
const LONGEST_TIMER = 2 ** 31 - 1 - FIRST_WAIT;
const KEY = /^[ -~]{1,255}$/;

export class Connection {
  #baseUrl;
  #secret;
  #timeout;
  #maxRetries;
  #maxRetryWait;

  constructor({ baseUrl, secret, timeout = 30 * SECONDS, maxRetries = 3, maxRetryWait = 60 * SECONDS }) {
    if (typeof secret !== "string" || !/^[!-~]+$/.test(secret)) throw new TypeError("secret is an API key's secret");
    this.#baseUrl = address(baseUrl);
    this.#secret = secret;
    this.#timeout = within("timeout", timeout, 1, LONGEST_TIMER);
    this.#maxRetries = within("maxRetries", maxRetries, 0, 100);
    this.#maxRetryWait = within("maxRetryWait", maxRetryWait, 0, LONGEST_TIMER);
  }

  get(path, query, options) {
    return this.#send({ method: "GET", path: path + queryString(query) }, options);
  }

  post(path, body = {}, options = undefined) {
    return this.#send({ method: "POST", path, body, key: options?.idempotencyKey ?? newKey() }, options);
  }

  patch(path, body = {}, options = undefined) {
    return this.#send({ method: "PATCH", path, body }, options);
  }

  delete(path, options) {
    return this.#send({ method: "DELETE", path }, options);
  }

  async #send({ method, path, body, key }, options = {}) {
    const request = {
      url: this.#baseUrl + API + path,
      method,
      headers: this.#headers({ body, key }),
      body: body === undefined ? undefined : JSON.stringify(body),
      timeout: within("timeout", options.timeout ?? this.#timeout, 1, LONGEST_TIMER),
      signal: options.signal,
      key,
    };
    const maxRetries = within("maxRetries", options.maxRetries ?? this.#maxRetries, 0, 100);
    for (let tries = 1; ; tries++) {
      try {
        return await attempt(request);
      } catch (error) {
        // An earlier try did it, and word of that was lost.
        if (method === "DELETE" && tries > 1 && error?.status === 404) return undefined;
        if (tries > maxRetries || !mayPass(error) || error.retryAfter * SECONDS > this.#maxRetryWait) throw error;
        await pause(waitAfter(tries, error), request.signal);
      }
    }
  }

  #headers({ body, key }) {
    const headers = { Accept: "application/json", Authorization: `Bearer ${this.#secret}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (key !== undefined) {
      if (!KEY.test(key)) throw new TypeError("an idempotencyKey is 1 to 255 printable ASCII characters");
      headers["Idempotency-Key"] = key;
    }
    return headers;
  }
}

function address(baseUrl) {
  const { protocol, username, search, hash } = new URL(baseUrl);
  if (!["http:", "https:"].includes(protocol) || username || search || hash) {
    throw new TypeError("baseUrl is http://… or https://…, with a path at most");
  }
  return String(baseUrl).replace(/\/+$/, "");
}

function within(name, value, least, most) {
  if (!(value >= least && value <= most)) throw new RangeError(`${name} is a number from ${least} to ${most}`);
  return value;
}

async function attempt({ url, method, headers, body, timeout, signal, key }) {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const hangUp = () => controller.abort();
  const timer = setTimeout(hangUp, timeout);
  signal?.addEventListener("abort", hangUp);
  try {
    // A redirected POST would arrive as a GET.
    const response = await fetch(url, { method, headers, body, redirect: "manual", signal: controller.signal });
    return read(response, await response.text(), key);
  } catch (failure) {
    if (failure instanceof LoyaltyError) throw failure;
    signal?.throwIfAborted();
    if (controller.signal.aborted) {
      throw new TimedOutError(`no answer within ${timeout} ms`, { idempotencyKey: key }, { cause: failure });
    }
    throw new ConnectionFailedError("the connection failed", { idempotencyKey: key }, { cause: failure });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", hangUp);
  }
}

function read(response, text, key) {
  const body = parse(text);
  if (!response.ok) throw refusal(response, body, key);
  if (response.status === 204) return undefined;
  if (body === undefined) {
    throw new ApiError("the answer is no JSON: is baseUrl right?", facts(response, {}, key));
  }
  return body;
}

function refusal(response, body, key) {
  const told = facts(response, body?.error ?? {}, key);
  const Refusal = ERRORS_BY_TYPE[told.type] ?? byStatus(response.status);
  return new Refusal(body?.error?.message ?? `the answer is ${response.status}: is baseUrl right?`, told);
}

/** What a proxy answers has no type. */
function byStatus(status) {
  if (status === 401) return AuthenticationError;
  if (status === 403) return PermissionDeniedError;
  if (status === 429) return RateLimitError;
  return status >= 400 && status < 500 ? InvalidRequestError : ApiError;
}

function facts(response, { type, code, message: _, param, ...details }, key) {
  return {
    type,
    code,
    param,
    details,
    status: response.status,
    requestId: response.headers.get("X-Request-Id"),
    // A page of another origin sees the body alone.
    retryAfter: retryAfter(response.headers.get("Retry-After")) ?? details.retry_after,
    idempotencyKey: key,
  };
}

function retryAfter(header) {
  if (header === null) return null;
  const seconds = Number(header);
  if (!Number.isNaN(seconds)) return Math.max(0, seconds);
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, (date - Date.now()) / SECONDS);
}

function mayPass(error) {
  // A caller's signal may have any reason.
  if (!(error instanceof LoyaltyError)) return false;
  return error instanceof ConnectionFailedError || error.status === 429 || error.status >= 500;
}

/** Milliseconds. Jitter, so that those who failed together do not meet again. */
function waitAfter(tries, error) {
  const jitter = Math.random() * FIRST_WAIT;
  if (error.retryAfter !== null) return error.retryAfter * SECONDS + jitter;
  return Math.min(FIRST_WAIT * 2 ** (tries - 1), LONGEST_BACKOFF) + jitter;
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const wake = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", wake);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", wake, { once: true });
  });
}

/** Not randomUUID(), which browsers have on HTTPS pages alone. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function queryString(query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
}

export function segment(id) {
  // An empty one would name the list, and dots another path.
  if (typeof id !== "string" || ["", ".", ".."].includes(id)) throw new TypeError(`${JSON.stringify(id)} is no id`);
  return encodeURIComponent(id);
}
