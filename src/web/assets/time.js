// Days and moments. A slot is a minute of the station's clock, 'YYYY-MM-DDTHH:MM': it is never
// turned into this browser's time.
import { lang, t } from "./words.js";

const asUtc = (slot) => new Date(`${slot.length === 10 ? `${slot}T00:00` : slot}:00Z`);
const say = (date, options) =>
  new Intl.DateTimeFormat(lang() === "es" ? "es" : "en-GB", { timeZone: "UTC", ...options }).format(date);

export const dayOf = (slot) => slot.slice(0, 10);
export const timeOf = (slot) => slot.slice(11, 16);
export const addDays = (day, count) => {
  const date = asUtc(day);
  date.setUTCDate(date.getUTCDate() + count);
  return date.toISOString().slice(0, 10);
};
export const addMonths = (day, count) => {
  const date = asUtc(day);
  const wanted = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + count + 1, 0);
  date.setUTCDate(Math.min(wanted, date.getUTCDate()));
  return date.toISOString().slice(0, 10);
};
export const isDay = (text) => /^\d{4}-\d\d-\d\d$/.test(text || "") && !Number.isNaN(asUtc(text).getTime());
export const isSlot = (text) => /^\d{4}-\d\d-\d\dT\d\d:\d\d$/.test(text || "");
export const longDay = (slot) =>
  say(asUtc(slot), { weekday: "long", day: "numeric", month: "long", year: "numeric" });
/** '22 Nov 2026, 23:12' for a slot. */
export const shortSlot = (slot) => `${shortDay(dayOf(slot))}, ${timeOf(slot)}`;
export const shortDay = (slot) => say(asUtc(slot), { day: "numeric", month: "short", year: "numeric" });

/** Today on the station's clock. */
export function today(zone) {
  const now = new Date();
  const offset = /^([+-])(\d\d):?(\d\d)$/.exec(zone || "");
  if (offset) {
    const minutes = (offset[1] === "-" ? -1 : 1) * (Number(offset[2]) * 60 + Number(offset[3]));
    return new Date(now.getTime() + minutes * 60000).toISOString().slice(0, 10);
  }
  try {
    return new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short" }).format(now);
  } catch {
    return now.toISOString().slice(0, 10);
  }
}

/** The hour now on the station's clock, 0 to 23. */
export function hourNow(zone) {
  const now = new Date();
  const offset = /^([+-])(\d\d):?(\d\d)$/.exec(zone || "");
  if (offset) {
    const minutes = (offset[1] === "-" ? -1 : 1) * (Number(offset[2]) * 60 + Number(offset[3]));
    return new Date(now.getTime() + minutes * 60000).getUTCHours();
  }
  try {
    return Number(new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", hourCycle: "h23" }).format(now));
  } catch {
    return now.getUTCHours();
  }
}

/** '3 h 20 min' for a number of seconds. */
export function span(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const whole = Math.max(Math.round(seconds), 0);
  if (whole < 60) return t("span.s", { n: whole });
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return t("span.min", { n: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return t("span.h", { h: hours, n: minutes % 60 });
  return t("span.d", { n: Math.floor(hours / 24) });
}

/** Seconds since an instant; 'YYYY-MM-DD HH:MM:SS' is UTC. */
export function since(instant) {
  if (!instant) return NaN;
  const iso = instant.includes("T") ? instant : `${instant.replace(" ", "T")}Z`;
  return (Date.now() - new Date(iso).getTime()) / 1000;
}

/** An instant in the station's zone. */
export function moment(instant, zone) {
  if (!instant) return "–";
  const date = new Date(instant.includes("T") ? instant : `${instant.replace(" ", "T")}Z`);
  if (Number.isNaN(date.getTime())) return "–";
  const options = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const locale = lang() === "es" ? "es" : "en-GB";
  try {
    return new Intl.DateTimeFormat(locale, { ...options, timeZone: zone }).format(date);
  } catch {
    return new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" }).format(date);
  }
}
