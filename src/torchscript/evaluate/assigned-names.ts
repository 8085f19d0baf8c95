import type { Expression, Statement } from "../language/syntax.ts";

/** Variables that statements set, also in blocks within. */
export function assignedNames(statements: readonly Statement[]): readonly string[] {
  const nameOf = (target: Expression): readonly string[] => (target.kind === "name" ? [target.id] : []);
  const names = statements.flatMap((statement): readonly string[] => {
    switch (statement.kind) {
      case "assign":
      case "unpack":
        return statement.targets.flatMap(nameOf);
      case "if":
        return [...assignedNames(statement.then), ...assignedNames(statement.otherwise)];
      case "for":
        return [statement.name, ...assignedNames(statement.body)];
      case "while":
        return assignedNames(statement.body);
      case "with":
        return [...(statement.name === undefined ? [] : [statement.name]), ...assignedNames(statement.body)];
      default:
        return [];
    }
  });
  return [...new Set(names)];
}
