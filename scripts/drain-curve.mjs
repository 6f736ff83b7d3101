// Draws docs/drain-curve.svg: which share of the connections has been told at each moment of a gradual drain, here
// and in Envoy. Ours comes out of the decision that the proxy makes; `--print` writes it out instead, for the
// test that compares.
//
// Envoy's are the rules of 1.40, not runs of it: at each response the chance is the whole seconds since the start over half
// of the drain time (test/interop/envoy-drain-curve.test.ts asks it); a connection without requests is told at an
// instant drawn from the last third, less drain_timeout.
import { writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { drainInstant, evenPlace } from "../src/shared/drain/drain-decision.ts";
import { drainPolicyDefaults } from "../src/shared/drain/drain.ts";

const drainS = 600;
const envoyRampS = drainS / 2;
const envoyIdleFromS = (drainS * 2) / 3;
const envoyDrainTimeoutS = 5;
const connections = 2_000;
const points = 120;

const drain = {
  ...drainPolicyDefaults,
  id: 1,
  cause: "lds-remove",
  startMs: 0,
  deadlineMs: drainS * 1_000,
  strategy: "gradual",
  cutsAtDeadline: true,
};
const instants = Array.from({ length: connections }, (_, n) =>
  drainInstant(drain, 0, evenPlace(n, 0.5)),
);

/** By time in seconds. */
const curves = [
  {
    label: "Sluice: any connection, at any rate of requests",
    color: "#0b6e4f",
    width: 3,
    told: (s) => instants.filter((instantMs) => instantMs <= s * 1_000).length / connections,
  },
  { label: "Envoy: 10 requests a second", color: "#b23a48", told: (s) => toldBy(s, 0.1) },
  { label: "Envoy: 1 request a second", color: "#d77a61", told: (s) => toldBy(s, 1) },
  { label: "Envoy: 1 request a minute", color: "#8f6bb3", told: (s) => toldBy(s, 60) },
  { label: "Envoy: no requests", color: "#4f6d9a", told: (s) => toldWhenIdle(s) },
];

/** Of connections with a response every `everyS`, each begun at a moment of its own. */
function toldBy(s, everyS) {
  const phases = Array.from({ length: 20 }, (_, i) => ((i + 0.5) / 20) * everyS);
  return phases.reduce((sum, phase) => sum + toldOf(s, everyS, phase), 0) / phases.length;
}

/** The first response comes at `phase`. Who was passed over at every one is not told yet. */
function toldOf(s, everyS, phase) {
  let spared = 1;
  for (let at = phase; at <= s; at += everyS) spared *= 1 - Math.min(1, Math.floor(at) / envoyRampS);
  return 1 - spared;
}

function toldWhenIdle(s) {
  const until = drainS - envoyDrainTimeoutS;
  return Math.min(1, Math.max(0, (s - envoyIdleFromS) / (until - envoyIdleFromS)));
}

const plot = { left: 60, top: 20, width: 600, height: 300 };

function x(s) {
  return plot.left + (s / drainS) * plot.width;
}

function y(share) {
  return plot.top + (1 - share) * plot.height;
}

function line({ color, width = 2, told }) {
  const at = Array.from({ length: points + 1 }, (_, i) => (i * drainS) / points);
  const path = at.map((s) => `${x(s).toFixed(1)},${y(told(s)).toFixed(1)}`).join(" ");
  return `<polyline fill="none" stroke="${color}" stroke-width="${width}" points="${path}"/>`;
}

function legend({ label, color }, index) {
  const top = plot.top + plot.height + 62 + index * 20;
  return (
    `<rect x="${plot.left}" y="${top - 9}" width="18" height="6" fill="${color}"/>` +
    `<text x="${plot.left + 28}" y="${top}">${label}</text>`
  );
}

const tenths = Array.from({ length: 11 }, (_, i) => i / 10);
const bottom = plot.top + plot.height;
const right = plot.left + plot.width;
const svg = [
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 690 490" font-family="sans-serif" font-size="13">',
  "<title>Share of connections told, over a gradual drain of 600 seconds</title>",
  '<rect width="690" height="490" fill="#fff"/>',
  ...tenths.map(
    (share) =>
      `<path stroke="#e4e4e4" d="M${plot.left} ${y(share).toFixed(1)}H${right}"/>` +
      `<text x="${plot.left - 8}" y="${(y(share) + 4).toFixed(1)}" text-anchor="end">${share * 100}%</text>`,
  ),
  ...tenths.map(
    (share) =>
      `<text x="${x(share * drainS)}" y="${bottom + 18}" text-anchor="middle">${share * drainS}</text>`,
  ),
  `<path stroke="#333" fill="none" d="M${plot.left} ${plot.top}V${bottom}H${right}"/>`,
  `<text x="${right}" y="${bottom + 36}" text-anchor="end">seconds since the drain began</text>`,
  ...curves.toReversed().map(line),
  ...curves.map(legend),
  "</svg>",
  "",
].join("\n");

if (process.argv.includes("--print")) process.stdout.write(svg);
else {
  const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");
  writeFileSync(path.join(root, "docs/drain-curve.svg"), svg);
}
