/** What compiled matchers are: functions of the data that they look at. */

/** What to do, or undefined: nothing matches. */
export type Evaluate<D, A> = (data: D) => A | undefined;

/** A value of the data; undefined: there is none, which no value matches. */
export type ReadInput<D> = (data: D) => string | undefined;

/** Finds the candidates for a value, the best first; a candidate may yet find nothing. */
export type FindByValue<D, A> = (value: string, data: D) => A | undefined;
