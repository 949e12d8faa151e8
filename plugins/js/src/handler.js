// From a function to a handler.

import { Failure } from "./failure.js";
import { Outcome } from "./outcome.js";

/** Where a handler keeps the function that turns the `config` table into its second argument. */
export const OPEN = Symbol("forebay.open");

/**
 * Makes a handler of a function of a message and the settings: the plugin's `config` table in the manifest, or what
 * `open` makes of it once in each instance.
 *
 * The handler is a function of the same arguments. A `Failure` that is thrown is returned.
 */
export function handler(handle, open = (settings) => settings) {
  if (typeof handle !== "function") throw new TypeError("handler(handle) takes a function of a message");
  const whole = (message, settings) => {
    let answer;
    try {
      answer = handle(message, settings);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      answer = error;
    }
    return expectAnswer(answer);
  };
  return Object.assign(whole, { [OPEN]: open });
}

function expectAnswer(answer) {
  if (answer instanceof Outcome || answer instanceof Failure) return answer;
  if (typeof answer?.then === "function") {
    throw new TypeError("the handler returned a promise; a handler has nothing to wait for: take `async` away");
  }
  throw new TypeError(`the handler returned ${typeof answer}; it returns apply(), skip("reason") or reject("code", "why")`);
}
