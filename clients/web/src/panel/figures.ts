// The figures under the timeline, and the state in the bar. Knows the app; writes text.

import type { App } from "../app";
import type { Ending } from "../session/connection";
import { intentSpoken, kindSpoken, probableKinds } from "../session/intent";
import type { Phase } from "../session/interaction";
import { element, say } from "./elements";
import type { Strip } from "./strip";
import { themeNow } from "./theme";

/** Of which probabilities are shown. */
const MOST_KINDS = 3;

export function showFigures(app: App, strip: Strip): void {
  const { interaction, chronicle } = app;
  const accepted = interaction?.accepted;
  const time = interaction?.sessionTime() ?? null;
  if (!interaction || !accepted || time === null) return;
  const planned = interaction.playout?.planned ?? [];
  strip.draw(
    chronicle,
    {
      now: time - accepted.playoutDelay,
      frameRate: accepted.frameRate,
      commitFrames: accepted.commitFrames,
      plannedUntil: planned.at(-1) ?? interaction.playout?.shown?.index ?? 0,
    },
    themeNow(element("probe", HTMLElement)),
  );
  const reaction = chronicle.reaction();
  const trip = interaction.clock.roundTrip;
  say("reaction", reaction ? `${reaction.p50.toFixed(0)} ms, 95 %: ${reaction.p95.toFixed(0)} ms` : "–");
  say("round-trip", trip === null ? "–" : `${(1000 * trip).toFixed(trip < 0.01 ? 1 : 0)} ms`);
  say("late", `${chronicle.lateTimes.length} in the last minute`);
  say("revision", String(interaction.status?.revision ?? 0));
  const intent = interaction.status?.intent;
  say("intent", intent ? intentSpoken(intent) : "not told");
  say("probabilities", intent ? probableKinds(intent, MOST_KINDS) : "–");
  showQuestion(app);
}

function showQuestion(app: App): void {
  const offer = app.question.open(app.frameDue());
  element("offer", HTMLElement).hidden = offer === null;
  if (offer) say("offer-text", `The player: ${kindSpoken(offer.kind)}. Is the partner to answer?`);
}

export function showPhase(app: App, phase: Phase, ending: Ending | null): void {
  const state = element("state", HTMLElement);
  state.dataset.phase = phase;
  const { accepted } = app.interaction ?? {};
  const running = accepted ? `live · ${accepted.bundle} on ${accepted.backend} (${accepted.precision})` : "live";
  say(
    "state",
    {
      connecting: "connecting",
      live: running,
      lost: "connection lost, trying to resume",
      refused: "not connected",
      ended: "ended",
    }[phase],
  );
  const banner = element("banner", HTMLElement);
  banner.hidden = phase !== "refused" && phase !== "lost";
  element("retry", HTMLButtonElement).hidden = phase !== "refused";
  if (phase === "refused") say("banner-text", ending?.message ?? "The session ended.");
  if (phase === "lost") say("banner-text", "Connection lost. The plan plays on; the session is being resumed.");
}
