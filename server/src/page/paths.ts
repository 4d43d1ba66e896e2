/** Paths of the pages that other pages link to. */
export const paths = {
  signIn: '/sign-in',
  factor: '/sign-in/factor',
  setUp: '/sign-in/set-up',
  signUp: '/sign-up',
  forgot: '/forgot',
  stepUp: '/step-up',
  signOut: '/sign-out',
  account: '/account',
  password: '/account/password',
  sessions: '/account/sessions',
  data: '/account/data',
  confirmAgain: '/confirm/again',
} as const;
