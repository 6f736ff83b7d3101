/** What `--hot-restart-version` says: the protocol and the size of the shared memory, both Envoy 1.40's. */
export const hotRestartVersion = { protocol: 11, segmentBytes: 104 } as const;

export const hotRestartVersionText = `${hotRestartVersion.protocol}.${hotRestartVersion.segmentBytes}`;
