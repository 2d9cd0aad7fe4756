/** The server's words for things, as its OpenAPI document has them; every time in epoch ms UTC, every length in s. */
import type { components } from './schema';

type Schemas = components['schemas'];

/** Everything that the server knows. Without a deadline and without a problem nothing will stop this run. */
export type IState = Schemas['State'];

/** What the platform last said about auto-stop. */
export type IAutoStop = Schemas['AutoStop'];

/** When this run of the instance ends, and who sees to it. */
export type IDeadline = Schemas['Deadline'];

/** A time until which the instance is kept running, and by whom. */
export type IHold = Schemas['Hold'];

/** What may be asked for, and why something may not. */
export type ILimits = Schemas['Limits'];

/** What the write that was just made has done. */
export type IOutcome = Schemas['Outcome'];

/** Why something is stale or unknown, in sentences to show. */
export type IProblem = Schemas['Problem'];

/** What a PATCH may ask for: the update API's own names. */
export type IChange = Schemas['Change'];

/** A change of the instance that was made from here. */
export type IJournalEntry = Schemas['JournalEntry'];
