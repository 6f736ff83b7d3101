/** What this thread's event loop has done since it was last asked: a look at what libuv counts anyway, no probe in it. */
export interface LoopFigures {
  readonly loops: number;
  /** Outside of waiting for events, all loops together. */
  readonly busyMs: number;
}

export class LoopMeter {
  #utilization = performance.eventLoopUtilization();
  #loops = performance.nodeTiming.uvMetricsInfo.loopCount;

  read(): LoopFigures {
    const utilization = performance.eventLoopUtilization();
    const { active } = performance.eventLoopUtilization(utilization, this.#utilization);
    const { loopCount } = performance.nodeTiming.uvMetricsInfo;
    const loops = loopCount - this.#loops;
    this.#utilization = utilization;
    this.#loops = loopCount;
    return { loops, busyMs: Math.max(0, active) };
  }
}
