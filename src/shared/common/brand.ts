/** Tells apart primitives that could be swapped by mistake. Made by one constructor each. */
export type Brand<T, Name extends string> = T & { readonly __brand: Name };

/** Identity of one version of one listener; an in-place update keeps it (Envoy: `listener_tag`). */
export type ListenerTag = Brand<number, "ListenerTag">;
export const listenerTag = (value: number): ListenerTag => value as ListenerTag;

/** Identity of one drain, unique in the process. */
export type DrainId = Brand<number, "DrainId">;
export const drainId = (value: number): DrainId => value as DrainId;
