/** What becomes of the set fields of one message, by their proto names. */
export type FieldTable =
  /** Every field is honoured, or is there to be read by people. */
  | "whole"
  | {
      /** Read by a decoder, which judges the value. */
      readonly honoured: readonly string[];
      /** Field to reason: leaving it out would change who may pass or where bytes go. */
      readonly refused?: Readonly<Record<string, string>>;
      /** Field to what happens in its place. */
      readonly warned?: Readonly<Record<string, string>>;
      /** Its fields narrow what it matches, so one that we do not know must refuse it. */
      readonly isMatcher?: boolean;
    };

export type FieldTables = Readonly<Record<string, FieldTable>>;
