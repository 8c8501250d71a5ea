// The page: puts stage, app, controls and strip together. `?quality=low` draws without shadows.

import { App } from "./app";
import type { SessionAccepted } from "./gen/contrapose/v1/interaction_pb";
import { readNpz } from "./formats/npz";
import type { Motion } from "./motion/motion";
import { element, onClick, say } from "./panel/elements";
import { showFigures, showPhase } from "./panel/figures";
import { fillKinds, tell, wirePanel } from "./panel/panel";
import { Players } from "./panel/players";
import { Strip } from "./panel/strip";
import { onSystemTheme, themeNow, toggleTheme } from "./panel/theme";
import { dragHands } from "./player/dragging";
import { Leads } from "./player/leads";
import { BodyFigure } from "./scene/figure";
import { PEOPLE, Stage } from "./scene/stage";
import { TOKEN, fetched, serverInfo, sessionAddress } from "./server";

const STRIP_MS = 100;
/** Of a shape: less shows nowhere. */
const LEAST_BETA = 0.01;

declare global {
  /** For scripts in the console, and for tests. */
  var contrapose: App | undefined;
}

async function open(): Promise<void> {
  const query = new URLSearchParams(location.search);
  const probe = element("probe", HTMLElement);
  const canvas = element("view", HTMLCanvasElement);
  const stage = new Stage(canvas, themeNow(probe), query.get("quality") === "low");
  const body = await fetched("v1/body.glb");
  for (const person of PEOPLE) {
    stage.setFigure(person, await BodyFigure.from(body));
  }
  const rest = (stage.figure("player") as BodyFigure).rest;
  const strip = new Strip(element("strip", HTMLCanvasElement));

  let app: App | null = null;
  const leads = new Leads(canvas, (gesture) => app?.puppet?.gesture(gesture));
  app = globalThis.contrapose = new App(stage, leads, rest, sessionAddress(), TOKEN, {
    phase: (phase, ending) => {
      showPhase(app!, phase, ending);
    },
    accepted: (accepted) => {
      tellBundle(app!).catch((error: unknown) => {
        tell(`the server does not say what it knows: ${String(error)}`);
      });
      dress(app!, accepted).catch((error: unknown) => {
        tell(`the server has no body of that shape: ${String(error)}`);
      });
    },
    event: tell,
  });
  dragHands(stage, () => app.puppet);
  wirePanel(app);
  const players = new Players(app, await recordedMotion(query.get("motion")));
  players.choose("recording");
  await players.offerHeadset();

  const paint = () => {
    stage.setPalette(themeNow(probe));
  };
  onSystemTheme(paint);
  onClick("theme", () => {
    toggleTheme();
    paint();
  });
  onClick("retry", () => {
    app.again();
  });
  new ResizeObserver(() => {
    stage.resize();
    strip.resize();
  }).observe(element("stage", HTMLElement));
  stage.renderer.setAnimationLoop((time, frame) => {
    app.frame(time, frame);
  });
  setInterval(() => {
    showFigures(app, strip);
  }, STRIP_MS);
}

/** Gives both people skins of their own shapes; where their joints are, the session says in any case. */
async function dress(app: App, accepted: SessionAccepted): Promise<void> {
  for (const [person, skeleton] of [["player", accepted.playerSkeleton], ["partner", accepted.partnerSkeleton]] as const) {
    const shape = shapeOf(skeleton?.betas ?? []);
    const figure = app.stage.figure(person);
    if (!(figure instanceof BodyFigure) || figure.shape === shape) continue;
    const made = await BodyFigure.from(await fetched(shape ? `v1/body.glb?betas=${shape}` : "v1/body.glb"), shape);
    const isWanted = app.interaction?.accepted === accepted && app.stage.figure(person) === figure;
    if (isWanted) app.stage.setFigure(person, made);
    else made.dispose();
  }
}

/** Empty: the average body's. */
function shapeOf(betas: readonly number[]): string {
  return betas.some((beta) => Math.abs(beta) >= LEAST_BETA) ? betas.map((beta) => beta.toFixed(3)).join(",") : "";
}

/** What the bundle was trained to do; known as soon as a session is accepted. */
async function tellBundle(app: App): Promise<void> {
  const info = await serverInfo();
  fillKinds(app, info?.kinds ?? []);
  if (info && !info.animatorTakesText) tell("this bundle's partner takes no words");
}

/** The motion that the address names, or the player that is shipped. */
async function recordedMotion(path: string | null): Promise<Motion> {
  const named = path ?? "demo_player.npz";
  return readNpz(named.split("/").at(-1)!, new Uint8Array(await fetched(named)));
}

void open().catch((error: unknown) => {
  say("state", "cannot begin");
  say("banner-text", error instanceof Error ? error.message : String(error));
  element("banner", HTMLElement).hidden = false;
});
