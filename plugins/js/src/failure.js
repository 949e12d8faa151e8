// Why a message, or a configuration, can not be handled.

/** The code of what can not be read: bad JSON, text that is not UTF-8, a missing field. */
export const MALFORMED = "malformed";

/** A handler returns it or throws it: the message becomes a dead letter with this code and message. */
export class Failure extends Error {
  constructor(code, message) {
    super(String(message));
    this.code = String(code);
  }

  get name() {
    return "Failure";
  }

  toString() {
    return `${this.code}: ${this.message}`;
  }
}

/** Makes a failure with a code of your own: `return reject("unknown-currency", "no rate for XTS")`. */
export function reject(code, message) {
  return new Failure(code, message);
}
