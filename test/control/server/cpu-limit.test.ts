import assert from "node:assert/strict";
import { test } from "node:test";
import { cgroupProcessors } from "../../../src/control/server/cpu-limit.ts";

const table: readonly (readonly [
  what: string,
  files: Readonly<Record<string, string>>,
  processors: number | undefined,
])[] = [
  ["no cgroups", {}, undefined],
  [
    "version 2, no quota",
    { "/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/cpu.max": "max 100000\n" },
    undefined,
  ],
  [
    "version 2, in a container, whose own group is the root",
    { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "250000 100000\n" },
    2.5,
  ],
  [
    "version 2, of all groups above the narrowest",
    {
      "/proc/self/cgroup": "0::/a/b\n",
      "/sys/fs/cgroup/a/b/cpu.max": "400000 100000\n",
      "/sys/fs/cgroup/a/cpu.max": "50000 100000\n",
    },
    0.5,
  ],
  [
    "version 2, the kernel's path is not under the mount",
    { "/proc/self/cgroup": "0::/host/path\n", "/sys/fs/cgroup/cpu.max": "300000 100000\n" },
    3,
  ],
  [
    "version 1, mounted by the whole list",
    {
      "/proc/self/cgroup": "4:cpu,cpuacct:/a\n3:cpuset:/\n",
      "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "150000\n",
      "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
    },
    1.5,
  ],
  [
    "version 1, the controller alone",
    {
      "/proc/self/cgroup": "1:cpu:/a\n0::/\n",
      "/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "100000\n",
      "/sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "50000\n",
    },
    2,
  ],
  [
    "version 1, no quota",
    {
      "/proc/self/cgroup": "1:cpu:/\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    },
    undefined,
  ],
  ["garbage", { "/proc/self/cgroup": "0::/\nx\n", "/sys/fs/cgroup/cpu.max": "many" }, undefined],
];

for (const [what, files, processors] of table)
  test(`processors by cgroup: ${what}`, () => {
    assert.equal(
      cgroupProcessors((path) => files[path]),
      processors,
    );
  });
