/**
 * `%START_TIME(format)%`: strftime with Envoy's additions `%3f`, `%6f`, `%9f` (digits of the second's
 * fraction), `%E3S`, `%E*S`. Always UTC, as Envoy prints it. Unknown specifiers are printed as they are.
 */

const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

const specifier = /%(E\d?S|E\*S|[1-9]f|[a-zA-Z%])/g;

/** `format` empty: Envoy's default, `2026-01-01T00:00:00.000Z`. */
export function formatTime(wallMs: number, format: string): string {
  const time = new Date(wallMs);
  if (format === "") return time.toISOString();
  return format.replaceAll(specifier, (whole, name: string) => field(time, wallMs, name) ?? whole);
}

function field(time: Date, wallMs: number, name: string): string | undefined {
  if (name.endsWith("f")) return fraction(wallMs, name === "f" ? 9 : Number(name[0]));
  if (name.startsWith("E")) return seconds(time, wallMs, name[1] ?? "");
  return dateField(time, name) ?? timeField(time, wallMs, name);
}

function dateField(time: Date, name: string): string | undefined {
  switch (name) {
    case "Y":
      return String(time.getUTCFullYear());
    case "y":
      return two(time.getUTCFullYear() % 100);
    case "m":
      return two(time.getUTCMonth() + 1);
    case "d":
      return two(time.getUTCDate());
    case "e":
      return String(time.getUTCDate()).padStart(2, " ");
    case "b":
    case "h":
      return months[time.getUTCMonth()]?.slice(0, 3);
    case "B":
      return months[time.getUTCMonth()];
    case "a":
      return days[time.getUTCDay()]?.slice(0, 3);
    case "A":
      return days[time.getUTCDay()];
    case "j":
      return String(dayOfYear(time)).padStart(3, "0");
    case "F":
      return time.toISOString().slice(0, 10);
    case "D":
      return `${two(time.getUTCMonth() + 1)}/${two(time.getUTCDate())}/${two(time.getUTCFullYear() % 100)}`;
    default:
      return undefined;
  }
}

function timeField(time: Date, wallMs: number, name: string): string | undefined {
  switch (name) {
    case "H":
      return two(time.getUTCHours());
    case "I":
      return two(time.getUTCHours() % 12 || 12);
    case "p":
      return time.getUTCHours() < 12 ? "AM" : "PM";
    case "M":
      return two(time.getUTCMinutes());
    case "S":
      return two(time.getUTCSeconds());
    case "T":
      return time.toISOString().slice(11, 19);
    case "R":
      return time.toISOString().slice(11, 16);
    case "s":
      return String(Math.floor(wallMs / 1000));
    case "z":
      return "+0000";
    case "Z":
      return "UTC";
    case "%":
      return "%";
    default:
      return undefined;
  }
}

function seconds(time: Date, wallMs: number, digits: string): string {
  const whole = two(time.getUTCSeconds());
  const count = digits === "*" ? 3 : Number(digits);
  return count > 0 ? `${whole}.${fraction(wallMs, count)}` : whole;
}

/** Our wall clock counts milliseconds; further digits are zero. */
function fraction(wallMs: number, digits: number): string {
  const millis = String(Math.floor(wallMs) % 1000).padStart(3, "0");
  return millis.padEnd(9, "0").slice(0, digits);
}

function dayOfYear(time: Date): number {
  return Math.floor((time.getTime() - Date.UTC(time.getUTCFullYear(), 0, 1)) / 86_400_000) + 1;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
