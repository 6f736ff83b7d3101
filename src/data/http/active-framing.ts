/** How a response says what follows its head on this hop. One a request, set anew for each response. */
import { isGranted, noUpgrade } from "./upgrade.ts";
import { responseHead } from "./http1/response-head.ts";
import type { LiveConfig } from "./live-config.ts";
import type { ResponseFraming } from "./response-composer.ts";
import type { ResponseBody } from "./upstream/upstream-request.ts";

/** What its request was. */
interface Framed {
  readonly isHttp10: boolean;
  readonly isHttp2: boolean;
  readonly isHead: boolean;
  /** What it asked for, as in `upgrade.ts`. */
  readonly upgradeType: string;
}

export class ActiveFraming implements ResponseFraming {
  isHttp10 = false;
  isHttp2 = false;
  upgradeType = noUpgrade;
  isChunked = false;
  isEmpty = false;
  closes = false;
  isHeadRequest = false;
  live: LiveConfig;

  constructor(live: LiveConfig) {
    this.live = live;
  }

  get isTunnel(): boolean {
    return this.upgradeType !== noUpgrade;
  }

  /** Of the host's response, which was parsed last. True: only the end of the connection can end it. */
  setFor({ isHttp10, isHttp2, isHead, upgradeType }: Framed, body: ResponseBody): boolean {
    const isTunnel = isGranted(upgradeType, responseHead.status);
    const hasBody = !isTunnel && !isHead && !responseHead.isBodyless;
    const hasNoLength = hasBody && body.contentLength < 0 && !isHttp2;
    this.isHttp10 = isHttp10;
    this.isHttp2 = isHttp2;
    this.isEmpty = hasNoLength && body.isEnd && body.end === body.start;
    this.isChunked = hasNoLength && !this.isEmpty && !isHttp10;
    this.upgradeType = isTunnel ? upgradeType : noUpgrade;
    return hasNoLength && !this.isEmpty && isHttp10;
  }

  /** Of one of our own, which has a length. */
  setForLocal({ isHttp10, isHttp2, isHead }: Omit<Framed, "upgradeType">): void {
    this.isHttp10 = isHttp10;
    this.isHttp2 = isHttp2;
    this.isHeadRequest = isHead;
    this.isChunked = false;
    this.isEmpty = false;
    this.upgradeType = noUpgrade;
  }
}
