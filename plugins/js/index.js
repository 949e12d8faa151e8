// Write a Forebay handler in JavaScript: one function of one message. README.md tells how, index.d.ts what there is.

export { Failure, reject } from "./src/failure.js";
export { handler } from "./src/handler.js";
export { json } from "./src/json.js";
export { log, metrics } from "./src/host.js";
export { Message } from "./src/message.js";
export { apply, Outcome, skip } from "./src/outcome.js";
