/** A range of addresses: `envoy.config.core.v3.CidrRange`, judged. */
export interface CidrRange {
  readonly ip: string;
  readonly prefixLength: number;
}
