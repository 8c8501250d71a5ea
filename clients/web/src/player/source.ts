// What a player can be: something that tells its pose ten times a second and opens a session as it
// must. Knows the wire's input; no connection and no scene.

import type { Pose } from "../body/pose";
import type { RestOffsets } from "../body/skeleton";
import type { Header, PlayerInput } from "../session/interaction";

export interface PlayerSource {
  /** As people call it. */
  readonly name: string;
  /** What the header must say of this player. */
  readonly header: Header;
  /** Hears of the body that the server made of the header: offsets of its joints at rest. */
  fit?(rest: RestOffsets): void;
  /** What is to be sent at a time in seconds since the source began. */
  input(time: number): PlayerInput | null;
  /** The body to show; `planned` is the player as the server expects it, null before it does. */
  shown(time: number, planned: Pose | null, rest: RestOffsets): Pose;
}
