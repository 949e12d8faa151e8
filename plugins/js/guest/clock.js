// The clock of a component: the message's timestamp. It stands still while a message is handled.

const Native = Date;
const UNKNOWN = "a handler has no clock of its own, and";
let now = null;
let why = `${UNKNOWN} there is no message yet: call it in the handler`;

/** Sets the clock for a message. */
export function set(message) {
  now = message.timestampMs;
  why = `${UNKNOWN} this message has no timestamp: see message.timestamp, which is null here`;
}

function read() {
  if (now === null) throw new Error(why);
  return now;
}

function Clock(...args) {
  if (!new.target) return new Native(read()).toString();
  return Reflect.construct(Native, args.length === 0 ? [read()] : args, new.target);
}

Object.defineProperty(Clock, "name", { value: "Date" });
Object.defineProperty(Clock, "length", { value: 7 });
Clock.prototype = Native.prototype;
Clock.prototype.constructor = Clock;
Clock.now = read;
Clock.parse = Native.parse;
Clock.UTC = Native.UTC;
globalThis.Date = Clock;
