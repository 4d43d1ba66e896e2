import { defineProblems } from '../../kit/problem.ts';

const accountProblems = defineProblems('account', {
  email_taken: { status: 400, title: 'email already registered' },
  password_required: {
    status: 403,
    title:
      'Send the password of the registration with the token, or a new one as new_password: this is another browser than the one that registered',
  },
  password_wrong: { status: 403, title: 'The password is wrong' },
  sign_up_closed: {
    status: 403,
    title: 'Registration is closed; ask the operator of the service for an account',
  },
  unknown_email: { status: 403, title: 'No account has this email' },
});

declare module '../../kit/problem.ts' {
  interface ProblemCodes extends Record<keyof typeof accountProblems, ProblemRow> {}
}
