// The pages of an account, as others lead to them. Features add theirs.

/** A page of one's account, as the others lead to it. */
export interface AccountSection {
  readonly path: string;
  /** Its messages are `page.<name>.title` and `page.<name>.about`. */
  readonly name: string;
}

/** The pages of an account that are no feature's. */
export const ownSections = {
  address: { path: '/account/address', name: 'address' },
  password: { path: '/account/password', name: 'password' },
  sessions: { path: '/account/sessions', name: 'sessions' },
  activity: { path: '/account/activity', name: 'activity' },
  data: { path: '/account/data', name: 'data' },
} as const satisfies Record<string, AccountSection>;
