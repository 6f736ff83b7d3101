/** What a request's head says that matters until its end: the head itself is gone when the next one is parsed. */
import type { ClusterAction } from "../../shared/config/route-config.ts";
import type { Arena } from "../../shared/io/arena.ts";
import { isGrpcRequest } from "./grpc.ts";
import { requestHead } from "./http1/request-head.ts";
import { isHeadMethod, isPostMethod, isRepeatableMethod } from "./repeatable-methods.ts";
import { asksForTunnel, connectType } from "./upgrade.ts";

export class RequestTraits {
  isHead = false;
  isPost = false;
  isRepeatable = false;
  isChunked = false;
  isGrpc = false;

  /** Of the head that was parsed last. */
  read(bytes: Uint8Array): void {
    const { methodStart, methodEnd } = requestHead;
    this.isChunked = requestHead.fields.isChunked;
    this.isGrpc = isGrpcRequest(bytes);
    this.isHead = isHeadMethod(bytes, methodStart, methodEnd);
    this.isPost = isPostMethod(bytes, methodStart, methodEnd);
    this.isRepeatable = isRepeatableMethod(bytes, methodStart, methodEnd);
  }

  /** As of a head that could not be read. */
  clear(): void {
    this.isHead = false;
    this.isPost = false;
    this.isRepeatable = false;
    this.isChunked = false;
    this.isGrpc = false;
  }

  /** What it carries goes to the host in TCP. `upgradeType`: what it asks for and may have. */
  endsTunnel({ tunnelEnd }: ClusterAction, upgradeType: string): boolean {
    if (tunnelEnd === undefined) return false;
    return upgradeType === connectType || (tunnelEnd.allowsPost && this.isPost);
  }
}

/** The head that was parsed last asks for one; most requests are told at a glance. */
export function headAsksForTunnel(isConnect: boolean, { buffer }: Arena): boolean {
  return (requestHead.upgradeIndex >= 0 || isConnect) && asksForTunnel(requestHead, buffer);
}
