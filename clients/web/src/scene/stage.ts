// The stage: floor, light, camera, two figures, and the marks on the floor and in the air.
// Knows three.js; of a session only what it is given to draw.

import {
  BufferGeometry, CanvasTexture, Color, DirectionalLight, Fog, HemisphereLight, InstancedMesh, LessDepth, Matrix4,
  Mesh, MeshBasicMaterial, MeshStandardMaterial, NeutralToneMapping, VSMShadowMap, PerspectiveCamera,
  PlaneGeometry, Plane, Raycaster, RepeatWrapping, RingGeometry, CircleGeometry, Scene, SphereGeometry,
  SRGBColorSpace, Vector2, Vector3, WebGLRenderer,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { JOINT_COUNT } from "../body/skeleton";
import type { Figure } from "./figure";

export type Person = "player" | "partner";
export const PEOPLE: readonly Person[] = ["player", "partner"];

export interface Handle {
  readonly person: Person;
  readonly joint: number;
}

export interface Palette {
  readonly background: string;
  readonly floor: string;
  readonly line: string;
  readonly player: string;
  readonly partner: string;
  readonly accent: string;
}

/** Metres of one square of the floor. */
const SQUARE = 1;
const FLOOR = 60;
const HANDLE_RADIUS = 0.045;
/** Parts of the way that the camera follows the people in a second. */
const FOLLOW = 1.5;
/** Metres around each joint that are skin, roughly: the zone is measured from the skin. */
const FLESH = 0.12;

export class Stage {
  readonly renderer: WebGLRenderer;
  readonly camera = new PerspectiveCamera(38, 1, 0.05, 80);
  readonly controls: OrbitControls;
  readonly #scene = new Scene();
  readonly #sky = new HemisphereLight(0xffffff, 0xb9b2a6, 2.1);
  readonly #sun = new DirectionalLight(0xfff4e6, 2.2);
  readonly #rim = new DirectionalLight(0xbfd4ff, 0.9);
  readonly #floor: Mesh<PlaneGeometry, MeshStandardMaterial>;
  readonly #figures = new Map<Person, Figure>();
  readonly #zone: InstancedMesh<BufferGeometry, MeshBasicMaterial> = new InstancedMesh(
    new CircleGeometry(1, 40).rotateX(-Math.PI / 2),
    new MeshBasicMaterial({ transparent: true, opacity: 0.22, depthFunc: LessDepth }),
    JOINT_COUNT,
  );
  readonly #place = new Mesh(
    new RingGeometry(0.16, 0.22, 48).rotateX(-Math.PI / 2),
    new MeshBasicMaterial({ transparent: true, opacity: 0.9 }),
  );
  readonly #contacts: Mesh<SphereGeometry, MeshBasicMaterial>[] = [];
  readonly #handles: Mesh<SphereGeometry, MeshBasicMaterial>[] = [];
  readonly #caster = new Raycaster();
  readonly #middle = new Vector3(0, 0.86, 0.4);
  #palette: Palette;
  #isLow: boolean;

  constructor(
    readonly canvas: HTMLCanvasElement,
    palette: Palette,
    isLow: boolean,
  ) {
    this.#palette = palette;
    this.#isLow = isLow;
    this.renderer = new WebGLRenderer({ canvas, antialias: true, powerPreference: "high-performance" });
    this.renderer.toneMapping = NeutralToneMapping;
    this.renderer.shadowMap.enabled = true;
    this.renderer.shadowMap.type = VSMShadowMap;
    this.renderer.xr.enabled = true;
    this.renderer.xr.setReferenceSpaceType("local-floor");
    const texture = gridTexture();
    this.#floor = new Mesh(
      new PlaneGeometry(FLOOR, FLOOR).rotateX(-Math.PI / 2),
      new MeshStandardMaterial({ roughness: 0.95, map: texture }),
    );
    this.#floor.receiveShadow = true;
    this.#sun.castShadow = !isLow;
    this.#sun.shadow.mapSize.set(1024, 1024);
    this.#sun.shadow.radius = 7;
    this.#sun.shadow.blurSamples = 16;
    this.#sun.shadow.bias = -0.0004;
    Object.assign(this.#sun.shadow.camera, { left: -2.6, right: 2.6, top: 2.6, bottom: -2.6, near: 0.5, far: 14 });
    this.#zone.visible = this.#place.visible = false;
    this.#zone.frustumCulled = false;
    this.#scene.add(this.#sky, this.#sun, this.#sun.target, this.#rim, this.#rim.target, this.#floor);
    this.#scene.add(this.#zone, this.#place, this.camera);
    this.camera.position.set(2.75, 1.45, 2.3);
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.target.copy(this.#middle);
    this.controls.enableDamping = true;
    this.controls.dampingFactor = 0.12;
    this.controls.minDistance = 0.8;
    this.controls.maxDistance = 14;
    this.controls.maxPolarAngle = 0.53 * Math.PI;
    this.setPalette(palette);
  }

  /** Low: no shadows, half the resolution, for machines that draw in software. */
  setLow(isLow: boolean): void {
    this.#isLow = isLow;
    this.#sun.castShadow = !isLow;
    this.resize();
  }

  get isLow(): boolean {
    return this.#isLow;
  }

  /** The colours of everything. */
  setPalette(palette: Palette): void {
    this.#palette = palette;
    const background = new Color(palette.background);
    this.#scene.background = background;
    this.#scene.fog = new Fog(background, 6, 22);
    this.#floor.material.color.set(palette.floor);
    this.#zone.material.color.set(palette.accent);
    for (const [person, figure] of this.#figures) figure.tint(palette[person]);
    this.#place.material.color.set(palette.accent);
  }

  /** Puts a figure on the stage in the place of the person's former one. */
  setFigure(person: Person, figure: Figure): void {
    const former = this.#figures.get(person);
    figure.root.visible = former?.root.visible ?? true;
    former?.dispose();
    this.#figures.set(person, figure);
    figure.tint(this.#palette[person]);
    this.#scene.add(figure.root);
  }

  /** Whether a figure is drawn. */
  setSeen(person: Person, isSeen: boolean): void {
    const figure = this.#figures.get(person);
    if (figure) figure.root.visible = isSeen;
  }

  figure(person: Person): Figure | undefined {
    return this.#figures.get(person);
  }

  /** Shows the zone around the player's joints (66 numbers); no radius or 0 hides it. */
  setZone(radius: number, joints: Float32Array | null): void {
    this.#zone.visible = radius > 0 && joints !== null;
    if (!this.#zone.visible || joints === null) return;
    const matrix = new Matrix4();
    const size = radius + FLESH;
    for (let joint = 0; joint < JOINT_COUNT; joint++) {
      matrix.makeScale(size, 1, size).setPosition(joints[3 * joint]!, 0.004, joints[3 * joint + 2]!);
      this.#zone.setMatrixAt(joint, matrix);
    }
    this.#zone.instanceMatrix.needsUpdate = true;
  }

  setPlace(place: { x: number; z: number } | null): void {
    this.#place.visible = place !== null;
    if (place) this.#place.position.set(place.x, 0.008, place.z);
  }

  /** Touches to come: where, and in how many seconds (0 or less: now). */
  setContacts(contacts: readonly { point: readonly number[]; inSeconds: number }[]): void {
    contacts.forEach(({ point, inSeconds }, index) => {
      const mark = (this.#contacts[index] ??= this.#newMark(0.05, 0.55));
      mark.visible = true;
      mark.position.set(point[0]!, point[1]!, point[2]);
      // It grows until they touch; then it lets the hands be seen.
      mark.scale.setScalar(inSeconds <= 0 ? 0.7 : 0.45 + 0.55 * Math.max(0, 1 - inSeconds));
      mark.material.opacity = inSeconds <= 0 ? 0.3 : 0.25 + 0.35 * Math.max(0, 1 - inSeconds);
    });
    this.#contacts.slice(contacts.length).forEach((mark) => (mark.visible = false));
  }

  /** Balls that can be clicked or dragged, where the joints are; null: none. */
  setHandles(handles: readonly (Handle & { isChosen: boolean })[]): void {
    handles.forEach((handle, index) => {
      const mark = (this.#handles[index] ??= this.#newMark(HANDLE_RADIUS, 0.75));
      const joints = this.#figures.get(handle.person)?.joints();
      mark.visible = joints !== undefined;
      mark.userData = handle;
      mark.material.color.set(handle.isChosen ? this.#palette.accent : this.#palette[handle.person]);
      mark.scale.setScalar(handle.isChosen ? 1.5 : 1);
      if (joints) mark.position.fromArray(joints, 3 * handle.joint);
    });
    this.#handles.slice(handles.length).forEach((mark) => (mark.visible = false));
  }

  /** The ball under a point of the canvas, as the pointer's event has it; null: none. */
  handleAt(event: { clientX: number; clientY: number }): Handle | null {
    this.#aim(event);
    this.#caster.params.Points.threshold = 0.1;
    const shown = this.#handles.filter((mark) => mark.visible);
    const distances = shown
      .map((mark) => ({ mark, off: this.#caster.ray.distanceToPoint(mark.position) }))
      .sort((a, b) => a.off - b.off);
    const nearest = distances[0];
    return nearest && nearest.off < 2.2 * HANDLE_RADIUS ? (nearest.mark.userData as Handle) : null;
  }

  /** The place of the floor under a point of the canvas; null: the sky. */
  floorAt(event: { clientX: number; clientY: number }): Vector3 | null {
    return this.#meets(event, new Plane(new Vector3(0, 1, 0), 0));
  }

  /** The place under a point of the canvas, as far away as `near`. */
  besideAt(event: { clientX: number; clientY: number }, near: Vector3): Vector3 | null {
    const facing = this.camera.getWorldDirection(new Vector3());
    return this.#meets(event, new Plane().setFromNormalAndCoplanarPoint(facing, near));
  }

  #meets(event: { clientX: number; clientY: number }, plane: Plane): Vector3 | null {
    this.#aim(event);
    return this.#caster.ray.intersectPlane(plane, new Vector3());
  }

  #aim(event: { clientX: number; clientY: number }): void {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const x = ((event.clientX - left) / width) * 2 - 1;
    const y = 1 - ((event.clientY - top) / height) * 2;
    this.#caster.setFromCamera(new Vector2(x, y), this.camera);
  }

  /** Camera and light keep the two people in view. `seconds` since the last time. */
  follow(middle: { x: number; z: number }, seconds: number): void {
    const part = 1 - Math.exp(-FOLLOW * seconds);
    const step = new Vector3(middle.x - this.#middle.x, 0, middle.z - this.#middle.z).multiplyScalar(part);
    this.#middle.add(step);
    if (!this.renderer.xr.isPresenting) {
      this.camera.position.add(step);
      this.controls.target.add(step);
    }
    this.#sun.target.position.copy(this.#middle);
    this.#sun.position.copy(this.#middle).add(new Vector3(1.6, 4.6, 2.2));
    this.#rim.target.position.copy(this.#middle);
    this.#rim.position.copy(this.#middle).add(new Vector3(-2.5, 2.2, -3));
  }

  resize(): void {
    const { clientWidth, clientHeight } = this.canvas.parentElement!;
    if (clientWidth === 0 || clientHeight === 0 || this.renderer.xr.isPresenting) return;
    this.renderer.setPixelRatio(this.#isLow ? 0.5 : Math.min(window.devicePixelRatio, 2));
    this.renderer.setSize(clientWidth, clientHeight, false);
    this.camera.aspect = clientWidth / clientHeight;
    // Both people stay in view on a screen that is taller than wide.
    this.camera.fov = Math.min(Math.max(38, 34 / Math.min(this.camera.aspect, 1)), 62);
    this.camera.updateProjectionMatrix();
  }

  render(): void {
    if (!this.renderer.xr.isPresenting) this.controls.update();
    this.renderer.render(this.#scene, this.camera);
  }

  #newMark(radius: number, opacity: number): Mesh<SphereGeometry, MeshBasicMaterial> {
    const material = new MeshBasicMaterial({
      color: this.#palette.accent,
      transparent: true,
      opacity,
      depthTest: false,
    });
    const mark = new Mesh(new SphereGeometry(radius, 20, 14), material);
    mark.renderOrder = 2;
    this.#scene.add(mark);
    return mark;
  }
}

/** Thin lines every metre on white, which the floor's colour tints. */
function gridTexture(): CanvasTexture {
  const size = 256;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  const context = canvas.getContext("2d")!;
  context.fillStyle = "#fff";
  context.fillRect(0, 0, size, size);
  context.strokeStyle = "rgba(0,0,0,0.10)";
  context.lineWidth = 3;
  context.strokeRect(0, 0, size, size);
  const texture = new CanvasTexture(canvas);
  texture.colorSpace = SRGBColorSpace;
  texture.wrapS = texture.wrapT = RepeatWrapping;
  texture.repeat.set(FLOOR / SQUARE, FLOOR / SQUARE);
  texture.anisotropy = 8;
  return texture;
}
