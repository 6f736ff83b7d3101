/** Values of the runtime layers; the last layer that has a key wins. */
import type { RuntimeLayer, RuntimeValue } from "../config/bootstrap-config.ts";

export function runtimeValue(
  layers: readonly RuntimeLayer[],
  key: string,
): RuntimeValue | undefined {
  return layers.findLast((layer) => key in layer.values)?.values[key];
}

/** `envoy.resource_limits.listener.<name>.connection_limit`. */
export function connectionLimitOf(
  layers: readonly RuntimeLayer[],
): (listener: string) => number | undefined {
  return (listener) => {
    const key = `envoy.resource_limits.listener.${listener}.connection_limit`;
    const value = runtimeValue(layers, key);
    const limit = typeof value === "string" ? Number(value) : value;
    return typeof limit === "number" && limit >= 0 ? limit : undefined;
  };
}
