// What the player is about: told in words, kept over time, and answered in time or not at all.

import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  IntentPhase, IntentSchema, OfferSchema, Respond, SessionStatusSchema,
} from "../src/gen/contrapose/v1/interaction_pb";
import { Chronicle, KEPT_S } from "../src/session/chronicle";
import { Question, RESPOND, intentSpoken, probableKinds } from "../src/session/intent";

const KINDS = ["nothing", "right_hand", "high_five_right", "wave"];

function intent(kind: string, phase = IntentPhase.SEEN, secondsToContact?: number) {
  const probabilities = [0.06, 0.91, 0.004, 0.026];
  return create(IntentSchema, { kind, phase, kinds: KINDS, probabilities, secondsToContact });
}

function status(kind: string, phase = IntentPhase.SEEN) {
  return create(SessionStatusSchema, { intent: intent(kind, phase) });
}

describe("intent", () => {
  it("is told with how far the answer is, and the seconds that are left", () => {
    expect(intentSpoken(intent("nothing", IntentPhase.UNSPECIFIED))).toBe("nothing");
    expect(intentSpoken(intent("high_five_right"))).toBe("high five right");
    expect(intentSpoken(intent("right_hand", IntentPhase.COMING, 0.4))).toBe("right hand: partner comes, 0.4 s");
    expect(intentSpoken(intent("right_hand", IntentPhase.MET, 0))).toBe("right hand: met");
  });

  it("names the most probable kinds first, and none that is hardly possible", () => {
    expect(probableKinds(intent("right_hand"), 9)).toBe("right hand 91 %, nothing 6 %, wave 3 %");
    expect(probableKinds(intent("right_hand"), 2)).toBe("right hand 91 %, nothing 6 %");
  });

  it("has a word for every way of the wire to respond", () => {
    const numbers = Object.values(Respond).filter((value) => typeof value === "number");
    expect(new Set([Respond.UNSPECIFIED, ...Object.values(RESPOND)])).toEqual(new Set(numbers));
  });
});

describe("chronicle", () => {
  it("keeps when the intent or its answer changed, and the last for as long as it holds", () => {
    const chronicle = new Chronicle();
    chronicle.status(create(SessionStatusSchema), 0);
    chronicle.status(status("nothing"), 1);
    chronicle.status(status("nothing"), 2);
    chronicle.status(status("wave"), 3);
    chronicle.status(status("wave", IntentPhase.MET), 4);
    expect(chronicle.intents.map(({ time }) => time)).toEqual([1, 3, 4]);
    chronicle.status(status("wave", IntentPhase.MET), 5 + 2 * KEPT_S);
    expect(chronicle.intents).toEqual([{ time: 4, kind: "wave", phase: IntentPhase.MET }]);
  });
});

describe("question", () => {
  const offer = create(OfferSchema, { offerId: 7n, kind: "wave", untilFrameIndex: 40n });

  it("is open until a second is over, and is answered once", () => {
    const question = new Question();
    expect(question.open(30)).toBeNull();
    question.asked(offer);
    expect(question.open(39)?.offerId).toBe(7n);
    expect(question.open(40)).toBeNull();
    expect(question.taken(40)).toBeNull();
    question.asked(offer);
    expect(question.taken(35)?.offerId).toBe(7n);
    expect(question.taken(35)).toBeNull();
  });

  it("closes when the player takes it back", () => {
    const question = new Question();
    question.asked(offer);
    question.told(intent("wave", IntentPhase.OFFERED));
    expect(question.open(35)).not.toBeNull();
    question.told(intent("nothing", IntentPhase.UNSPECIFIED));
    expect(question.open(35)).toBeNull();
  });
});
