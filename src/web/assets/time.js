// Days and moments. A slot is a minute of the station's clock, 'YYYY-MM-DDTHH:MM': it is never
// turned into this browser's time.
import { lang, t } from "./words.js";

const asUtc = (slot) => new Date(`${slot.length === 10 ? `${slot}T00:00` : slot}:00Z`);
/** A part of a date in the language of the page: "noviembre", "Monday". */
const named = (date, part) =>
  new Intl.DateTimeFormat(lang() === "es" ? "es" : "en-GB", { timeZone: "UTC", [part]: "long" }).format(date);

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
/** The days from one to another, both counted. */
export const between = (from, to) => (asUtc(to) - asUtc(from)) / 86400000 + 1;
/** The first day of a range to `to` that the record of a station may have: `from`, or the day on which it begins. */
export const fromRecord = (from, to, station) => {
  const begins = station.first ? dayOf(station.first) : from;
  return begins > from && begins <= to ? begins : from;
};
/** The time after which a slot has had its time, milliseconds. */
const DUE_AFTER = 120000;
/**
 * How many slots of a station are due after the slot `last`: those up to now at its `minutes` of each hour. In the hour
 * that a clock leaps over it counts some that never were.
 */
export function dueAfter(last, { time_zone: zone, minutes }) {
  const [from, to] = [asUtc(last).getTime() / 60000, (asUtc(slotNow(zone)).getTime() - DUE_AFTER) / 60000];
  if (!minutes || !(to > from)) return 0;
  const before = (moment) => {
    const hour = Math.floor(moment / 60);
    return hour * minutes.length + minutes.filter((minute) => minute <= moment - hour * 60).length;
  };
  return before(to) - before(from);
}
export const isDay = (text) => {
  const date = /^\d{4}-\d\d-\d\d$/.test(text || "") ? asUtc(text) : null;
  // The 31st of February is another day to some browsers, none to others.
  return date !== null && !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
};
export const isSlot = (text) => /^\d{4}-\d\d-\d\dT\d\d:\d\d$/.test(text || "");
/** 'lunes 30 de noviembre de 2026', 'Monday 30 November 2026', as charts and reports have it. */
export const longDay = (slot) => {
  const date = asUtc(slot);
  const of = lang() === "es" ? " de " : " ";
  const day = `${named(date, "weekday")} ${date.getUTCDate()}`;
  return [day, named(date, "month"), date.getUTCFullYear()].join(of);
};
/** '22 Nov 2026, 23:12' for a slot. */
export const shortSlot = (slot) => `${shortDay(dayOf(slot))}, ${timeOf(slot)}`;
export const shortDay = (slot) => {
  const date = asUtc(slot);
  return `${date.getUTCDate()} ${named(date, "month").slice(0, 3)} ${date.getUTCFullYear()}`;
};
/** The day 'YYYY-MM-DD' that a person wrote so, or as `shortDay` does; null if it is none. */
export function readDay(text) {
  const written = text.trim().toLowerCase().replace(/\bde\b/g, " ");
  if (isDay(written)) return written;
  const parts = /^(\d{1,2})\s+(\p{L}{3,})\.?\s+(\d{4})$/u.exec(written);
  if (!parts) return null;
  const names = Array.from({ length: 12 }, (_, n) => named(new Date(Date.UTC(2000, n, 1)), "month").toLowerCase());
  const month = names.findIndex((name) => name.startsWith(parts[2])) + 1;
  const day = [parts[3], String(month).padStart(2, "0"), parts[1].padStart(2, "0")].join("-");
  return isDay(day) ? day : null;
}

/** A moment on the station's clock, as a slot is written. */
function localSlot(date, zone) {
  const offset = /^([+-])(\d\d):?(\d\d)$/.exec(zone || "");
  if (offset) {
    const minutes = (offset[1] === "-" ? -1 : 1) * (Number(offset[2]) * 60 + Number(offset[3]));
    return new Date(date.getTime() + minutes * 60000).toISOString().slice(0, 16);
  }
  try {
    const format = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "short" });
    return format.format(date).replace(" ", "T");
  } catch {
    return date.toISOString().slice(0, 16);
  }
}

/** The minute now on the station's clock. */
export const slotNow = (zone) => localSlot(new Date(), zone);

/** Today on the station's clock. */
export const today = (zone) => dayOf(slotNow(zone));

/** The hour now on the station's clock, 0 to 23. */
export const hourNow = (zone) => Number(slotNow(zone).slice(11, 13));

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
  return shortSlot(localSlot(date, zone));
}
