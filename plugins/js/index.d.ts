// Types of the package `forebay-plugin`: write a Forebay handler in JavaScript or TypeScript.

/** What a column takes. `null` writes NULL; `undefined` is refused, for it is mostly a field that is missing. */
export type Value =
  /** Text fits every column in its type's input syntax: a decimal, a uuid, a date, an array. */
  | string
  /** A whole number is an integer, any other a float. */
  | number
  /** A whole number with all its digits. */
  | bigint
  | boolean
  /** For columns of raw bytes. */
  | Uint8Array
  | ArrayBuffer
  /** For timestamp columns. */
  | Date
  | null;

/** Columns by their names in the table. A column that is left out keeps its value, or gets its default in a new row. */
export type Row = Record<string, Value>;

/** A message to send. `json` takes the place of `value`; without either it is a tombstone. */
export interface Publish {
  key?: string | Uint8Array | null;
  value?: string | Uint8Array | null;
  json?: unknown;
  headers?: Record<string, string | Uint8Array | null> | Array<[string, string | Uint8Array | null]>;
}

/** Why a message, or a configuration, can not be handled. A handler returns it or throws it. */
export class Failure extends Error {
  constructor(code: string, message: string);
  /** Short and of few distinct values: a metric's label and a dead letter's header. */
  readonly code: string;
}

/** Makes a failure with a code of your own: `return reject("unknown-currency", "no rate for XTS")`. */
export function reject(code: string, message: string): Failure;

/** What becomes of a message that is not rejected: effects in order, all or none. Made by `apply` or `skip`. */
export class Outcome {
  private constructor();
  /** Inserts the row, or changes the given columns of the one with its key. */
  upsert(target: string, row: Row): this;
  /** Appends a row, once. */
  insert(target: string, row: Row): this;
  /** Changes the given columns of the row with this key. */
  update(target: string, row: Row): this;
  /** Adds to numeric columns of the row with this key; the row is made if it is missing. */
  add(target: string, row: Row): this;
  /** Removes the row with this key. The row has the key's columns and no others. */
  delete(target: string, row: Row): this;
  /** Sends a message once the rows are committed. */
  publish(target: string, message: Publish): this;
  /** What is to be done, as the contract has it. */
  readonly effects: ReadonlyArray<{ tag: string; val: unknown }>;
  /** Why the message is skipped, or null. */
  readonly skipped: string | null;
}

/** Starts an outcome without effects, to which they are added: `apply().upsert("orders", { id: 1 })`. */
export function apply(): Outcome;

/** Ignores the message on purpose. The reason is counted, so it is short and of few distinct values. */
export function skip(reason: string): Outcome;

/** Makes a value for a json column. */
export function json(value: unknown): string;

/** What a message is made of by hand, for tests. Text becomes bytes. */
export interface Parts {
  topic?: string;
  partition?: number;
  offset?: number;
  timestampMs?: number | null;
  key?: string | Uint8Array | null;
  value?: string | Uint8Array | null;
  headers?: Record<string, string | Uint8Array | null> | Array<[string, string | Uint8Array | null]>;
  metadata?: Record<string, string> | Array<[string, string]>;
}

/** One Kafka record. */
export class Message {
  constructor(parts?: Parts);
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since the Unix epoch, or null. */
  readonly timestampMs: number | null;
  readonly key: Uint8Array | null;
  /** Null is a tombstone, which is not the same as no bytes. */
  readonly value: Uint8Array | null;
  readonly headers: ReadonlyArray<{ name: string; value: Uint8Array | null }>;
  readonly metadata: ReadonlyArray<[string, string]>;
  /** Whether the value is null. */
  get isTombstone(): boolean;
  /** The message's timestamp, or null: the only clock there is. */
  get timestamp(): Date | null;
  /** The value as bytes; a tombstone is malformed. */
  bytes(): Uint8Array;
  /** The value as text; what is not UTF-8 is malformed. */
  text(): string;
  /** The value as JSON. Whole numbers beyond 2^53 are BigInts. */
  json<T = unknown>(): T;
  /** The value as a JSON object; anything else is malformed. */
  object<T extends object = Record<string, any>>(): T;
  /** The key as text; a missing key, and what is not UTF-8, is malformed. */
  keyText(): string;
  /** The value of the last header of this name as text; null where there is none, or a null. */
  header(name: string): string | null;
  /** The value of the last header of this name as bytes; null where there is none, or a null. */
  headerBytes(name: string): Uint8Array | null;
  /** A fact that the host added, or null. */
  fact(name: string): string | null;
}

/** A handler: a function of a message. It returns its answer; what is thrown and no `Failure` becomes a dead letter, too. */
export type Handler<State> = (message: Message, state: State) => Outcome | Failure;

/** Makes a handler of a function of a message and the plugin's `config` table in the manifest. */
export function handler<Settings = Record<string, any>>(
  handle: (message: Message, settings: Settings) => Outcome | Failure,
): Handler<Settings>;

/** Makes a handler of a function of a message and what `open` makes of the `config` table, once in each instance. */
export function handler<State, Settings = Record<string, any>>(
  handle: (message: Message, state: State) => Outcome | Failure,
  open: (settings: Settings) => State,
): Handler<State>;

type Line = (message: string, fields?: Record<string, unknown>) => void;

/** Structured logging. The host adds binding, plugin and the message's place, and limits the rate. */
export const log: { trace: Line; debug: Line; info: Line; warn: Line; error: Line };

/** Numbers for the host's metrics, which adds binding, plugin and digest. */
export const metrics: {
  /** Adds to the counter `name`, by 1 if nothing is said. */
  count(name: string, delta?: number): void;
  /** Enters `value` into the histogram `name`. */
  observe(name: string, value: number): void;
};
