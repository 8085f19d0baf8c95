import type { GraphIndex } from "./graph-index.ts";
import { joinName, type Place, type Reference, sameShape } from "./reference.ts";
import type { Member, Role } from "./role.ts";
import { isWithin } from "./scope-path.ts";

/** A role with the names of its parameters, one for each member. */
export interface NamedRole {
  readonly role: Role;
  readonly names: readonly string[];
  /** Whether another module would have had the same right to the name. */
  readonly guessed: boolean;
  /** Whether the parameters are those of a role named before: a module that is used again. */
  readonly again: boolean;
}

/** What has a name already: for each name, what its bytes are. */
type Taken = Map<string, string>;

/** Gives every role a name that is free; roles that cannot be told are left out. `taken` has the names that the file kept. */
export function chooseNames(
  roles: readonly Role[],
  kept: ReadonlySet<string>,
  index: GraphIndex,
  reference: Reference | undefined,
): readonly NamedRole[] {
  const taken: Taken = new Map([...kept].map((name) => [name, ""]));
  const named = new Map<Role, NamedRole>();
  const hasScopes = [...kept].some((name) => name.includes("."));

  function take(role: Role, place: Place, guessed: boolean): boolean {
    const names = role.members.map((member) => joinName(place.path, leafIn(member, place.layer)));
    const bytes = role.members.map((member) => fingerprint(member, index));
    const again = names.every((name, at) => taken.get(name) === bytes[at]);
    if (!again && names.some((name) => taken.has(name))) return false;
    for (const [at, name] of names.entries()) taken.set(name, bytes[at] as string);
    named.set(role, { role, names, guessed, again });
    return true;
  }

  function isFree(role: Role, place: Place): boolean {
    return role.members.every((member) => !taken.has(joinName(place.path, leafIn(member, place.layer))));
  }

  function pass(placesOf: (role: Role) => Iterable<Place>, guessed = false): void {
    for (const role of roles) {
      if (named.has(role)) continue;
      for (const place of placesOf(role)) if (take(role, place, guessed)) break;
    }
  }

  if (reference) {
    const fits = (role: Role, place: Place) => fitsIn(reference, role, place);
    const suggested = (role: Role) => ownPlaces(role).filter((place) => fits(role, place));
    pass((role) => (role.anchored ? suggested(role).slice(0, 1) : []));
    pass(suggested);
    const within = (role: Role) =>
      placesFor(reference, role).filter((place) => isFree(role, place) && isBelow(role, place));
    const claims = countClaims(
      roles.filter((role) => !named.has(role)),
      within,
    );
    for (const role of roles) {
      if (named.has(role)) continue;
      const places = within(role);
      const [only] = places;
      const isSure = only !== undefined && places.length === 1 && claims.get(keyOf(role, only)) === 1;
      for (const place of places) if (take(role, place, !isSure)) break;
    }
    pass((role) => placesFor(reference, role), true);
  }
  pass((role) => (role.anchored ? ownPlaces(role).slice(0, 1) : []));
  pass((role) => usedAgain(role, taken, index));
  pass((role) =>
    ownPlaces(role)
      .slice(0, 1)
      .filter(({ path }) => path !== "" || !hasScopes),
  );
  return roles
    .flatMap((role) => named.get(role) ?? [])
    .map((found) => ({ ...found, guessed: found.guessed || isUnsure(found, taken) }));
}

function isBelow({ paths }: Role, { path }: Place): boolean {
  return paths.some((own) => isWithin(own, path));
}

/** How many roles could stand at each place. */
function countClaims(
  roles: readonly Role[],
  placesOf: (role: Role) => readonly Place[],
): ReadonlyMap<string, number> {
  const claims = new Map<string, number>();
  for (const role of roles) {
    for (const place of placesOf(role)) {
      const key = keyOf(role, place);
      claims.set(key, (claims.get(key) ?? 0) + 1);
    }
  }
  return claims;
}

function keyOf({ members }: Role, { path, layer }: Place): string {
  return joinName(path, leafIn(members[0] as Member, layer));
}

/** The places that the graph itself suggests. */
function ownPlaces({ paths, layer }: Role): readonly Place[] {
  return layer < 0 ? [] : paths.map((path) => ({ path, layer }));
}

/** Without the number at its end, the name belongs to the same bytes: a module that is called once more. */
function usedAgain(role: Role, taken: Taken, index: GraphIndex): readonly Place[] {
  return ownPlaces(role).filter(({ path, layer }) =>
    role.members.every(
      (member) => taken.get(joinName(path, leafIn(member, layer))) === fingerprint(member, index),
    ),
  );
}

/** A number at the end may be part of the name, or tell two modules of one path apart. */
function isUnsure({ role, names, again }: NamedRole, taken: Taken): boolean {
  const [, without] = role.paths;
  if (again || role.anchored || without === undefined) return false;
  const others = role.members.map((member) => joinName(without, leafIn(member, role.layer)));
  return others.some((name, at) => name !== names[at] && taken.has(name));
}

function fitsIn(reference: Reference, { how, members }: Role, { path, layer }: Place): boolean {
  return members.every((member, at) => {
    const shape = reference.shapeOf(joinName(path, leafIn(member, layer)));
    // A norm gives its convolution a bias, which the module need not have had.
    if (shape === undefined) return how === "fused" && at > 0;
    return sameShape(shape, member.shape);
  });
}

function placesFor(reference: Reference, role: Role): readonly Place[] {
  const [first] = role.members as readonly [Member, ...Member[]];
  const places = reference.modulesWith(first.leaf, first.shape);
  const inLayer = role.layer < 0 ? places : places.filter(({ layer }) => layer === role.layer);
  return inLayer.filter((place) => fitsIn(reference, role, place));
}

function leafIn({ leaf }: Member, layer: number): string {
  return leaf.replace("#", String(layer));
}

/** Tells whether two members show the same bytes in the same way, by whatever names these go. */
function fingerprint({ shape, blocks }: Member, index: GraphIndex): string {
  const sides = blocks.map(({ stored }) => [
    index.slots.get(stored.tensor)?.tensor.name,
    stored.offset,
    stored.strides,
  ]);
  return JSON.stringify([shape, sides]);
}
