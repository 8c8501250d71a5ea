// The session's clock, estimated from pings by NTP's rule: the same rules as ClockSync of
// clients/python/contrapose_client/playout.py. Has no clock of its own: times are seconds, given.

export class ClockSync {
  #samples: { trip: number; offset: number }[] = [];
  #guess: number | null = null;

  constructor(private readonly kept = 16) {}

  /** The first pose leaves now: until a pong says better, this is where the session begins. */
  begin(now: number): void {
    this.#guess = -now;
  }

  /** Another server tells the time from now on: until it does, the old time is a guess. */
  carryOn(): void {
    this.#guess = this.hasBegun ? this.offset : null;
    this.#samples = [];
  }

  add(sent: number, received: number, sessionTime: number): void {
    this.#samples.push({ trip: received - sent, offset: sessionTime - (sent + received) / 2 });
    if (this.#samples.length > this.kept) this.#samples.shift();
  }

  get hasBegun(): boolean {
    return this.#guess !== null;
  }

  /** Whether the server has said what its clock shows; before, it is a guess. */
  get isTold(): boolean {
    return this.#samples.length > 0;
  }

  /** session time = local time + offset, by the sample of the shortest round trip. */
  get offset(): number {
    if (this.#guess === null) throw new Error("the session's clock begins with the first pose");
    const best = this.#samples.reduce<{ trip: number; offset: number } | null>(
      (least, sample) =>
        least === null ||
        sample.trip < least.trip ||
        (sample.trip === least.trip && sample.offset < least.offset)
          ? sample
          : least,
      null,
    );
    return best?.offset ?? this.#guess;
  }

  /** Seconds of the shortest of the last round trips; null before the first. */
  get roundTrip(): number | null {
    return this.isTold ? Math.min(...this.#samples.map((sample) => sample.trip)) : null;
  }

  sessionTime(now: number): number {
    return now + this.offset;
  }
}
