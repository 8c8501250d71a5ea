// A player in a headset: WebXR's viewer and grips as trackers. WebXR and the wire share axes and
// units, so poses go out as they come. Knows WebXR and trackers; no scene.

import type { Quat, Vec3 } from "../body/quaternions";
import { standing } from "../body/pose";
import type { Pose } from "../body/pose";
import type { RestOffsets } from "../body/skeleton";
import { DeviceAxes, TrackerRole } from "../gen/contrapose/v1/types_pb";
import type { Header, PlayerInput } from "../session/interaction";
import type { PlayerSource } from "./source";

export interface DevicePose {
  readonly place: Vec3;
  readonly turn: Quat;
}

const ROLES = { head: TrackerRole.HEAD, left: TrackerRole.LEFT_HAND, right: TrackerRole.RIGHT_HAND };
export type Device = keyof typeof ROLES;

export class Headset implements PlayerSource {
  readonly name = "headset";
  readonly header: Header;
  readonly devices = new Map<Device, DevicePose>();

  /** `height` of the player in metres. */
  constructor(height: number) {
    const how = { case: "size", value: { height } } as const;
    this.header = { calibration: { how, axes: DeviceAxes.OPENXR } };
  }

  /** Reads where the devices are in this frame; those that are lost are left out. */
  read(frame: XRFrame, space: XRReferenceSpace): void {
    this.devices.clear();
    this.#note("head", frame.getViewerPose(space));
    for (const source of frame.session.inputSources) {
      if (!source.gripSpace || source.handedness === "none") continue;
      this.#note(source.handedness, frame.getPose(source.gripSpace, space));
    }
  }

  input(): PlayerInput | null {
    if (!this.devices.has("head")) return null;
    const trackers = [...this.devices].map(([device, { place, turn }]) => ({
      role: ROLES[device],
      position: [...place],
      rotation: [...turn],
    }));
    return { case: "trackers", value: { trackers } };
  }

  /** The body as planned: who wears the headset does not see it, a recording holds it. */
  shown(_time: number, planned: Pose | null, rest: RestOffsets): Pose {
    return planned ?? standing(rest);
  }

  #note(device: Device, pose: XRPose | undefined): void {
    if (!pose) return;
    const { position, orientation } = pose.transform;
    this.devices.set(device, {
      place: [position.x, position.y, position.z],
      turn: [orientation.x, orientation.y, orientation.z, orientation.w],
    });
  }
}
