// Explains why a user cannot sign in: a pure function from what is stored to findings, each with what it means and what
// to do. It repeats no rule: sign-in-check.ts asks the rules for the facts. A test holds it to every problem and every
// recorded refusal of a sign-in.
import { formatInstant } from '../kit/clock.ts';
import { maxAttempts } from './attempt/store.ts';
import type { AccountFacts, Finding, SignInFacts } from './sign-in-facts.ts';

/** Returns what hinders a sign-in, the most important first. It never reveals a secret, and changes nothing. */
export function explainSignIn(facts: SignInFacts): readonly Finding[] {
  const { account, email } = facts;
  const found: readonly (Finding | undefined)[] =
    account === undefined
      ? [unknownAddress(facts), ...attempts(facts)]
      : [
          state(account, email),
          ...confirmation(account, facts),
          ...ways(account, facts),
          ...attempts(facts),
          ...secondFactors(account, facts),
          ...mails(account),
          ...(facts.denials ?? []).map((each): Finding => ({ code: 'no_access', hinders: 'part', ...each })),
        ];
  const findings = found.filter((each) => each !== undefined);
  const isFree = findings.every(({ hinders }) => hinders === 'part' || hinders === 'nothing');
  return [...findings, ...(isFree ? [nothingStored] : []), requestRefused];
}

const nothingStored: Finding = {
  code: 'nothing_stored',
  hinders: 'nothing',
  means: 'Nothing that is stored prevents a sign-in with the right password or authenticator.',
  remedy: 'If the password is rejected, it is wrong: the user resets it.',
};

const requestRefused: Finding = {
  code: 'request_refused',
  hinders: 'nothing',
  means:
    'Limits by network, an overloaded service and malformed requests reject a sign-in without regard to the account. They are not stored.',
  remedy: 'Ask for the request id or the time, and look it up in the log of the service.',
};

function unknownAddress({ email, isSignUpOpen }: SignInFacts): Finding {
  return {
    code: 'unknown_address',
    hinders: 'sign_in',
    means: `No account has the address ${email}. An account that is not confirmed within seven days is removed.`,
    remedy: isSignUpOpen
      ? 'Check the spelling. The user registers (again), or you add the account with bienvenue user add.'
      : 'Check the spelling. Sign-up is closed: you add the account with bienvenue user add.',
  };
}

/** A closed account is also disabled. */
function state({ deleteAt, disabledAt }: AccountFacts, email: string): Finding | undefined {
  if (deleteAt !== null)
    return {
      code: 'closing',
      hinders: 'sign_in',
      means: `The user closed the account; it is removed at ${formatInstant(deleteAt)}.`,
      remedy: `The user reopens it with the link in the email about it, or you with bienvenue user enable ${email}.`,
    };
  if (disabledAt !== null)
    return {
      code: 'disabled',
      hinders: 'sign_in',
      means: `The account has been disabled since ${formatInstant(disabledAt)}.`,
      remedy: `bienvenue user enable ${email}`,
    };
  return undefined;
}

function confirmation(
  { emailVerifiedAt, provisionalUntil, registrations }: AccountFacts,
  { email, emailConfirmation }: SignInFacts,
): readonly (Finding | undefined)[] {
  if (emailVerifiedAt !== null || !emailConfirmation) return [];
  const end =
    provisionalUntil === null ? '' : ` Unconfirmed, it is removed at ${formatInstant(provisionalUntil)}.`;
  return [
    {
      code: 'unconfirmed',
      hinders: 'sign_in',
      means: `The address is not confirmed, so the right password is answered like a wrong one.${end}`,
      remedy: `The user opens the link of the confirmation email, requests another one at /confirm/again or resets the password. If you know that the address is theirs: bienvenue user confirm ${email}`,
    },
    registrations === 0
      ? undefined
      : {
          code: 'registrations_pending',
          hinders: 'nothing',
          means: `${registrations} registration(s) of this address wait for the confirmation, each with a password or authenticator of its own.`,
          remedy:
            registrations === 1
              ? 'It becomes the one of the account when the address is confirmed.'
              : 'The link of the email in the browser that registered decides which one takes effect. After bienvenue user confirm none does, and the user resets the password.',
        },
  ];
}

function ways(
  { hashFault, password, hasFactorAsWayIn }: AccountFacts,
  { email, hasOtherWayIn }: SignInFacts,
): readonly (Finding | undefined)[] {
  const remedy = `The user resets the password, or you set one with bienvenue user set-password ${email}.`;
  const hasOther = hasFactorAsWayIn || hasOtherWayIn;
  if (password === 'unreadable')
    return [
      {
        code: 'hash_unreadable',
        hinders: hasOther ? 'password' : 'sign_in',
        means: `The stored password hash cannot be verified: ${hashFault ?? 'unknown'}. Every password is answered as wrong.`,
        remedy,
      },
    ];
  if (password === 'none')
    return [
      {
        code: hasOther ? 'no_password' : 'no_way_in',
        hinders: hasOther ? 'password' : 'sign_in',
        means: hasOther
          ? 'The account has no password; the user signs in another way.'
          : 'The account has no password and no other way to sign in.',
        remedy,
      },
    ];
  if (password === 'current') return [];
  return [
    {
      code: 'hash_imported',
      hinders: 'nothing',
      means:
        'The password hash is of another product or of an older cost. It works, and the next login replaces it.',
      remedy: 'Nothing. If it is bcrypt, a password of more than 72 bytes never matches: reset it.',
    },
  ];
}

function attempts({ counters, email, now }: SignInFacts): readonly (Finding | undefined)[] {
  return counters.map(({ factor, isOnKnownDevice, failures, nextAt }) => {
    const where = isOnKnownDevice ? ', counted on a known device only' : '';
    const hinders = factor === 'password' && !isOnKnownDevice ? 'password' : 'part';
    if (failures >= maxAttempts)
      return {
        code: 'locked',
        hinders,
        means: `${failures} failed attempts have locked the factor ${factor}${where}.`,
        remedy: `A new password unlocks the password; a known device has attempts of its own. Or: bienvenue user unlock ${email}`,
      };
    if (nextAt <= now) return undefined;
    return {
      code: 'paused',
      hinders,
      means: `After ${failures} failed attempts, the next one with the factor ${factor} is allowed at ${formatInstant(nextAt)}${where}.`,
      remedy: `Wait, or: bienvenue user unlock ${email}`,
    };
  });
}

function secondFactors(
  { enrollable, required, stored }: AccountFacts,
  { counters, email, now }: SignInFacts,
): readonly (Finding | undefined)[] {
  const isBlocked = (name: string): boolean =>
    counters.some(
      ({ factor, isOnKnownDevice, failures, nextAt }) =>
        factor === name && !isOnKnownDevice && (failures >= maxAttempts || nextAt > now),
    );
  const idle = stored.filter((name) => !required.includes(name));
  return [
    required.length === 0
      ? undefined
      : required.every(isBlocked)
        ? {
            code: 'second_factors_locked',
            hinders: 'second_factor',
            means: `Each second factor of the user is locked or must wait: ${required.join(', ')}.`,
            remedy: `Wait, or: bienvenue user unlock ${email}. If the device is lost: bienvenue user reset-factors ${email}`,
          }
        : {
            code: 'second_factor_required',
            hinders: 'nothing',
            means: `After the password the user gives one of: ${required.join(', ')}.`,
            remedy: `If all of them are lost, verify who asks, then: bienvenue user reset-factors ${email}`,
          },
    enrollable === undefined
      ? undefined
      : {
          code: 'second_factor_missing',
          hinders: 'second_factor',
          means:
            enrollable.length === 0
              ? 'A second factor is required, the user has none, and the options offer none.'
              : `A second factor is required and the user has none: after the password they can only add one of: ${enrollable.join(', ')}.`,
          remedy:
            enrollable.length === 0
              ? 'Turn a factor on, or set SECOND_FACTOR=optional.'
              : 'The user signs in on the pages and adds one. An application that signs in through the API must offer it.',
        },
    idle.length === 0
      ? undefined
      : {
          code: 'second_factor_not_offered',
          hinders: 'nothing',
          means: `The user also has second factors that a sign-in does not ask for: ${idle.join(', ')}.`,
          remedy: 'Nothing. The options turn them off, or they only replace another factor.',
        },
  ];
}

function mails({ mails: stored }: AccountFacts): readonly Finding[] {
  return stored.flatMap(({ id, kind, state: delivery, nextAt, error }): Finding[] => {
    if (delivery === 'sent') return [];
    const why = error === null ? '' : ` The last error: ${error}`;
    if (delivery === 'given_up')
      return [
        {
          code: 'mail_given_up',
          hinders: 'part',
          means: `The email ${kind} was given up and did not arrive.${why}`,
          remedy: 'Correct the mail server (bienvenue doctor); then the user requests another one.',
        },
      ];
    return [
      {
        code: 'mail_waiting',
        hinders: 'part',
        means: `The email ${kind} is not sent yet; the next attempt is at ${formatInstant(nextAt)}.${why}`,
        remedy: `bienvenue mail retry ${id}`,
      },
    ];
  });
}
