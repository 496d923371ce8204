/** Stands before the service, hands requests on, and does to the next of them what it was told to. */

import http from "node:http";

/**
 * What becomes of a request: it arrives and its answer is lost ("lose") or never comes ("hang"), or it does not arrive
 * and is answered here.
 * @typedef {"lose" | "hang" | { status: number, headers?: Record<string, string>, body?: string }} Fate
 */

export class Proxy {
  /** @param {string} service */
  constructor(service) {
    this.service = service;
    /** @type {Fate[]} */
    this.next = [];
    /** @type {{ method: string, key: string | undefined, at: number }[]} */
    this.seen = [];
    this.server = http.createServer((request, response) => this.#serve(request, response));
  }

  /** @returns {Promise<string>} its address */
  async listen() {
    await new Promise((resolve) => this.server.listen(0, "127.0.0.1", () => resolve(null)));
    const address = this.server.address();
    if (address === null || typeof address === "string") throw new Error("it does not listen");
    return `http://127.0.0.1:${address.port}`;
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }

  /** Which keys came, one for each try. */
  get keys() {
    return this.seen.map((request) => request.key);
  }

  /**
   * @param {http.IncomingMessage} request
   * @param {http.ServerResponse} response
   */
  async #serve(request, response) {
    const key = /** @type {string | undefined} */ (request.headers["idempotency-key"]);
    this.seen.push({ method: request.method ?? "", key, at: performance.now() });
    const fate = this.next.shift();
    if (typeof fate === "object") {
      response.writeHead(fate.status, fate.headers).end(fate.body);
      return;
    }
    const answer = await this.#handOn(request);
    if (fate === "hang") return;
    if (fate === "lose") {
      request.socket.destroy();
      return;
    }
    response.writeHead(answer.status, answer.headers).end(answer.body);
  }

  /** @param {http.IncomingMessage} request */
  async #handOn(request) {
    const body = await read(request);
    /** @type {http.IncomingMessage} */
    const answer = await new Promise((resolve, reject) => {
      const { method, headers } = request;
      const sent = http.request(this.service + request.url, { method: method ?? "GET", headers }, resolve);
      sent.on("error", reject).end(body);
    });
    return { status: answer.statusCode ?? 502, headers: answer.headers, body: await read(answer) };
  }
}

/** @param {http.IncomingMessage} message */
async function read(message) {
  const parts = [];
  for await (const part of message) parts.push(part);
  return Buffer.concat(parts);
}
