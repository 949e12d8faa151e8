// Between the component's exports and the plugin's handler.

import * as clock from "./clock.js";
import * as random from "./random.js";
import { told } from "./stack.js";
import { Failure } from "../src/failure.js";
import { OPEN } from "../src/handler.js";
import { use } from "../src/host.js";
import { parse } from "../src/json.js";
import { Message } from "../src/message.js";
import { wellFormed } from "../src/utf8.js";

/** Returns the component's export `handler`. */
export function serve(handle, { log, metrics }, { digest, lines }) {
  if (typeof handle?.[OPEN] !== "function") {
    throw new TypeError("the plugin's file says once `export default handler(FUNCTION)`");
  }
  random.begin(digest);
  let state;

  /** An error that nobody caught ends as a trap without words; this line is what the dead letter says of it. */
  function tellAndRethrow(error) {
    const { text, file, line } = told(error, lines);
    log.write("error", text, file === undefined ? [] : [["file", file], ["line", String(line)]]);
    throw error;
  }

  return {
    init(config) {
      use({ write: log.write, count: metrics.count, observe: metrics.observe });
      try {
        state = handle[OPEN](parse(config, "the plugin's `config` table"));
      } catch (error) {
        if (error instanceof Failure) throw failure(error);
        tellAndRethrow(error);
      }
    },
    handle(raw) {
      try {
        const message = new Message(raw);
        clock.set(message);
        random.set(message);
        const answer = handle(message, state);
        if (answer instanceof Failure) return { tag: "reject", val: failure(answer) };
        return answer.skipped === null ? { tag: "ok", val: answer.effects } : { tag: "skip", val: answer.skipped };
      } catch (error) {
        return tellAndRethrow(error);
      }
    },
  };
}

function failure({ code, message }) {
  return { code: wellFormed(code, "the code"), message: message.toWellFormed() };
}
