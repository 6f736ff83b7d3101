export { seededRandom } from "../../src/shared/common/seeded-random.ts";
