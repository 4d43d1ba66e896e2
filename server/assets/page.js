// Enhances the pages where scripts run; each page works without them. Stores nothing and requests only this service.

const webauthnForms = [...document.querySelectorAll('form[data-webauthn]')];
const isSupported = Boolean(window.PublicKeyCredential && navigator.credentials);

// Conversions between buffers and base64url, for browsers without the JSON functions of WebAuthn (level 3, §5.1.8), and for
// credentials of password managers whose toJSON is missing or throws an error.

/** @param {ArrayBuffer | ArrayBufferView} buffer */
function toBase64url(buffer) {
  const bytes = ArrayBuffer.isView(buffer)
    ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
    : new Uint8Array(buffer);
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** @param {string} text */
function fromBase64url(text) {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0)).buffer;
}

/** @param {{ id: string }[] | undefined} list */
const parseIds = (list) => list?.map((one) => ({ ...one, id: fromBase64url(one.id) }));

function parseRequestOptions(json) {
  if (PublicKeyCredential.parseRequestOptionsFromJSON)
    return PublicKeyCredential.parseRequestOptionsFromJSON(json);
  return {
    ...json,
    challenge: fromBase64url(json.challenge),
    ...(json.allowCredentials && { allowCredentials: parseIds(json.allowCredentials) }),
  };
}

function parseCreationOptions(json) {
  if (PublicKeyCredential.parseCreationOptionsFromJSON)
    return PublicKeyCredential.parseCreationOptionsFromJSON(json);
  return {
    ...json,
    challenge: fromBase64url(json.challenge),
    user: { ...json.user, id: fromBase64url(json.user.id) },
    ...(json.excludeCredentials && { excludeCredentials: parseIds(json.excludeCredentials) }),
  };
}

/** Returns a credential as JSON text. */
function credentialText(credential) {
  try {
    const json = credential.toJSON?.();
    if (json?.response?.clientDataJSON) return JSON.stringify(json);
  } catch {
    // Read below.
  }
  const { id, rawId, type, response, authenticatorAttachment } = credential;
  const read = {};
  for (const name of ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle'])
    if (response[name]) read[name] = toBase64url(response[name]);
  if (response.getTransports) read.transports = response.getTransports();
  return JSON.stringify({
    id,
    rawId: toBase64url(rawId),
    type,
    response: read,
    ...(authenticatorAttachment && { authenticatorAttachment }),
    clientExtensionResults: credential.getClientExtensionResults?.() ?? {},
  });
}

/** The service refused to begin. */
class Refused extends Error {}

/** @param {HTMLFormElement} form @param {Record<string, string>} fields */
async function askOptions(form, fields) {
  const reply = await fetch(form.dataset.options, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(fields),
  });
  // The session, or the proof for it, has ended: the page leads to what is missing.
  const isPressed = !fields.automatic && !form.classList.contains('way');
  if (isPressed && [401, 403].includes(reply.status)) location.reload();
  if (!reply.ok) throw new Refused(String(reply.status));
  return (await reply.json()).public_key;
}

/** @param {HTMLFormElement} form @param {CredentialRequestOptions} more */
async function getAnswer(form, more = {}, fields = {}) {
  if (form.dataset.webauthn === 'get') {
    const publicKey = parseRequestOptions(await askOptions(form, {}));
    return navigator.credentials.get({ publicKey, ...more });
  }
  if (form.dataset.use) fields.use = form.dataset.use;
  if (form.dataset.email) {
    const typed = document.getElementById(form.dataset.email);
    if (!typed.reportValidity()) return null;
    fields.email = typed.value;
    form.elements.namedItem('email').value = typed.value;
  }
  const publicKey = parseCreationOptions(await askOptions(form, fields));
  return navigator.credentials.create({ publicKey, ...more });
}

/** @param {HTMLFormElement} form @param {Credential} credential */
function sendAnswer(form, credential) {
  const input = form.elements.namedItem('credential') ?? form.elements.namedItem('proof');
  const stay = document.querySelector('input[type=checkbox][name=stay]');
  if (stay) form.elements.namedItem('stay').value = stay.checked;
  input.value = credentialText(credential);
  form.submit();
}

/** Prompts time out after about a minute or more; a person who cancels is faster. */
const timeoutMs = 55_000;

/** Names why a ceremony failed: the key of the message that the page has for it. */
function reasonOf(error, startedAt) {
  if (error instanceof Refused) return error.message === '429' ? 'busy' : 'refused';
  switch (error?.name) {
    case 'NotAllowedError':
      return Date.now() - startedAt >= timeoutMs ? 'timeout' : 'cancelled';
    case 'AbortError':
      return 'cancelled';
    case 'SecurityError':
      return 'address';
    case 'InvalidStateError':
      return 'known';
    case 'NotSupportedError':
    case 'ConstraintError':
      return 'unsupported';
    default:
      return 'unknown';
  }
}

let isUnsupportedShown = false;
for (const form of webauthnForms) {
  const failed = form.querySelector('[data-failed]');
  if (!isSupported) {
    // Without WebAuthn the first form says so, unless it is one way of several; the other ways of the page remain.
    if (failed && !form.classList.contains('way') && !isUnsupportedShown) {
      isUnsupportedShown = true;
      for (const child of form.children) child.hidden = child !== failed;
      failed.textContent = failed.dataset.unsupported;
      failed.hidden = false;
      form.hidden = false;
    }
    continue;
  }
  form.hidden = false;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    stopAutofill();
    const startedAt = Date.now();
    if (failed) failed.hidden = true;
    const button = form.querySelector('button:last-of-type');
    const done = showProgress(button, form.dataset.progress);
    try {
      const credential = await getAnswer(form);
      if (credential) return sendAnswer(form, credential);
    } catch (error) {
      if (failed) {
        const { [reasonOf(error, startedAt)]: text = failed.dataset.unknown } = failed.dataset;
        failed.textContent = text;
        failed.hidden = false;
        failed.focus();
      }
    }
    done();
    startAutofill();
  });
}
// Tells the service what it may offer after the sign-in.
for (const offer of document.querySelectorAll('[data-offer=passkey]'))
  if (isSupported)
    PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable?.().then((isAvailable) => {
      if (isAvailable) offer.value = offer.dataset.offer;
    });
for (const note of document.querySelectorAll('[data-unsupported-note]')) note.hidden = isSupported;

// Autofill: the browser offers passkeys in the field of the address. Browsers ignore the timeout of this request, but the
// challenge expires after five minutes, so it is renewed before.

const renewMs = 4 * 60_000;
const autofill = isSupported && webauthnForms.find((form) => form.dataset.autofill !== undefined);
let autofillAbort = new AbortController();

function stopAutofill() {
  autofillAbort.abort();
}

async function startAutofill() {
  if (!autofill || !(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  const abort = new AbortController();
  autofillAbort = abort;
  const timer = setTimeout(() => {
    abort.abort();
    startAutofill();
  }, renewMs);
  try {
    const credential = await getAnswer(autofill, { mediation: 'conditional', signal: abort.signal });
    if (credential && !abort.signal.aborted) sendAnswer(autofill, credential);
  } catch {
    // The user signs in another way, submitted the form, or the challenge is being renewed.
  }
  clearTimeout(timer);
}
startAutofill();
addEventListener('visibilitychange', () => {
  // Timers of a sleeping device are late: the challenge may have expired.
  if (document.visibilityState === 'visible' && autofill) {
    stopAutofill();
    startAutofill();
  }
});

// Where the next sign-in stays the same, a password manager may create a passkey without a prompt (conditional create).
const upgrade = isSupported && webauthnForms.find((form) => form.dataset.automatic !== undefined);
if (upgrade) upgradeQuietly();

async function upgradeQuietly() {
  try {
    if (!(await PublicKeyCredential.getClientCapabilities?.())?.conditionalCreate) return;
    const more = { mediation: 'conditional', signal: autofillAbort.signal };
    const credential = await getAnswer(upgrade, more, { automatic: true });
    if (!credential) return;
    upgrade.elements.namedItem('automatic').value = 'true';
    sendAnswer(upgrade, credential);
  } catch {
    // The page asks.
  }
}

/** Signals to the browser which passkeys exist, so that it offers no others. */
const signal = document.querySelector('[data-signal]');
if (signal) {
  const signaled = window.PublicKeyCredential?.signalAllAcceptedCredentials?.(
    JSON.parse(signal.dataset.signal),
  );
  signaled?.catch(() => {}); // optional; nothing depends on it
}

/** Says on a button what takes longer than 300 ms. Returns a function that restores it. */
function showProgress(button, text) {
  if (!button) return () => {};
  const former = [...button.childNodes];
  button.setAttribute('aria-disabled', 'true');
  const timer = setTimeout(() => {
    button.classList.add('busy');
    if (text) button.textContent = text;
  }, 300);
  return () => {
    clearTimeout(timer);
    button.classList.remove('busy');
    button.replaceChildren(...former);
    button.removeAttribute('aria-disabled');
  };
}

/** Submits a form once, however often its button is pressed. */
const restores = [];
for (const form of document.querySelectorAll('form:not([data-webauthn])')) {
  form.addEventListener('submit', (event) => {
    const button = event.submitter;
    if (form.dataset.sent || button?.getAttribute('aria-disabled') === 'true') return event.preventDefault();
    form.dataset.sent = 'yes';
    restores.push(showProgress(button, button?.dataset.progress));
  });
}
addEventListener('pageshow', () => {
  // The user navigated back: the form may be submitted again.
  for (const form of document.forms) delete form.dataset.sent;
  for (const restore of restores.splice(0)) restore();
});

/** Takes the typed address along to the page in another language: pages read it from their address. */
document.querySelector('footer form')?.addEventListener('submit', ({ target }) => {
  const email = document.querySelector('main #email')?.value;
  const back = target.elements.namedItem('return_to');
  if (!email || !back) return;
  const page = new URL(back.value, location.href);
  page.searchParams.set('email', email);
  back.value = page.pathname + page.search;
});

/** Sends a code as soon as it is complete. */
for (const input of document.querySelectorAll('input[data-full]')) {
  const full = new RegExp(input.dataset.full);
  input.addEventListener('input', (event) => {
    const code = input.value.normalize('NFKC').replaceAll(/[\s\p{Cf}\p{Pd}]/gu, '');
    // Corrections by hand are sent by hand.
    if (event.inputType?.startsWith('delete') || !full.test(code)) return;
    // A form with more to fill in, or a box to tick, is sent by hand.
    const others = input.form.querySelectorAll('input:not([type=hidden], [hidden])');
    if (others.length === 1) input.form.requestSubmit();
  });
}

/** Counts down until something can be requested again. */
for (const wait of document.querySelectorAll('[data-wait]')) {
  // Timers of a sleeping device are late.
  const until = Date.now() + 1000 * Number(wait.dataset.wait);
  if (!(until > Date.now())) continue;
  const { second, seconds, minutes } = wait.dataset;
  const button = wait.parentElement.querySelector('button');
  const timer = setInterval(() => {
    const left = Math.ceil((until - Date.now()) / 1000);
    if (left > 90) wait.textContent = minutes.replace(/\d+/, String(Math.ceil(left / 60)));
    else if (left > 1) wait.textContent = seconds.replace(/\d+/, String(left));
    else wait.textContent = left === 1 ? second : '';
    if (left > 0) return;
    clearInterval(timer);
    button?.removeAttribute('aria-disabled');
  }, 1000);
}

/** Writes instants in the time zone and the customs of the reader, in the language of the page. */
const language = document.documentElement.lang;
const locale = navigator.languages?.find(isOfLanguage) ?? language;
const day = 86_400_000;
const midnight = (date) => new Date(date).setHours(0, 0, 0, 0);
for (const time of document.querySelectorAll('time[datetime]')) {
  const at = new Date(time.dateTime);
  const { style } = time.dataset;
  const format = (options) => formatDate(at, options);
  const full = format({ dateStyle: 'long', timeStyle: 'short' });
  time.title = full;
  if (style === 'clock') time.textContent = format({ timeStyle: 'short' });
  else if (style === 'day') time.textContent = format({ dateStyle: 'long' });
  else if (style === 'ago') time.textContent = ago(at) ?? format({ dateStyle: 'long' });
  else time.textContent = full;
}

/** Groups what is listed by day by the days of the reader. */
for (const box of document.querySelectorAll('[data-days]')) {
  const items = [...box.querySelectorAll('li')];
  const sections = [];
  for (const item of items) {
    const name = dayName(new Date(item.querySelector('time').dateTime));
    if (sections.at(-1)?.name !== name) {
      const section = box.firstElementChild.cloneNode(true);
      section.firstElementChild.textContent = name;
      section.lastElementChild.replaceChildren();
      sections.push({ name, section });
    }
    sections.at(-1).section.lastElementChild.append(item);
  }
  box.replaceChildren(...sections.map(({ section }) => section));
}

/** French writes the first day of a month as an ordinal number, which Intl does not. @param {Date} at */
function formatDate(at, options) {
  const text = new Intl.DateTimeFormat(locale, options).format(at);
  return language.startsWith('fr') ? text.replace(/(?<!\d)1 (?=[a-zéû])/, '1er ') : text;
}

/** @param {Date} at */
function dayName(at) {
  const days = Math.round((midnight(at) - midnight(Date.now())) / day);
  if (days < -1) return formatDate(at, { dateStyle: 'full' });
  const name = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(days, 'day');
  return name.charAt(0).toLocaleUpperCase(locale) + name.slice(1);
}

/** Browsers may list tags that Intl rejects, such as "en-US@posix". @param {string} tag */
function isOfLanguage(tag) {
  try {
    return new Intl.Locale(tag).language === language;
  } catch {
    return false;
  }
}

/** @param {Date} at */
function ago(at) {
  const ms = Date.now() - at.getTime();
  if (ms < 0 || ms > 30 * day) return undefined;
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  if (ms < 60_000) return relative.format(0, 'minute');
  if (ms < 3_600_000) return relative.format(-Math.floor(ms / 60_000), 'minute');
  if (ms < day) return relative.format(-Math.floor(ms / 3_600_000), 'hour');
  return relative.format(-Math.floor(ms / day), 'day');
}

const { show, showLabel, length } = document.body.dataset;

for (const input of document.querySelectorAll('input[type="password"]')) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'show';
  button.textContent = show;
  button.setAttribute('aria-label', showLabel);
  button.setAttribute('aria-controls', input.id);
  button.setAttribute('aria-pressed', 'false');
  button.addEventListener('click', () => {
    const isShown = input.type === 'text';
    input.type = isShown ? 'password' : 'text';
    button.setAttribute('aria-pressed', String(!isShown));
  });
  input.closest('.field').querySelector('.label').append(button);
  // Restores the type before submission, so that password managers recognize the field.
  input.form?.addEventListener('submit', () => (input.type = 'password'));
}

for (const input of document.querySelectorAll('input[data-check]')) watchPassword(input);

/** Counts the characters while typing, and checks for a common password when typing pauses. */
function watchPassword(input) {
  const minLength = Number(input.dataset.min);
  const count = document.createElement('p');
  count.className = 'hint';
  count.id = `${input.id}-count`;
  const fault = document.createElement('p');
  fault.className = 'fault';
  fault.id = `${input.id}-found`;
  fault.setAttribute('role', 'status');
  input.closest('.field').append(count, fault);
  input.setAttribute(
    'aria-describedby',
    `${input.getAttribute('aria-describedby') ?? ''} ${fault.id}`.trim(),
  );
  input.addEventListener('input', () => {
    const typed = [...input.value.normalize('NFC')].length;
    count.textContent =
      typed === 0 || minLength < 2
        ? ''
        : typed >= minLength
          ? '✓'
          : length.replace('#', typed).replace('#', minLength);
    fault.textContent = '';
    // What the service said about the former value.
    input.closest('.field').querySelector(`#${input.id}-fault`)?.remove();
    input.removeAttribute('aria-invalid');
  });
  input.addEventListener('change', async () => {
    if ([...input.value].length < minLength) return;
    const email = document.querySelector('input[name="email"], input[name="username"]')?.value ?? '';
    try {
      const reply = await fetch(input.dataset.check, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify({ email, password: input.value }),
      });
      if (reply.ok) fault.textContent = (await reply.json()).fault ?? '';
    } catch {
      // The server checks the password when the form is submitted.
    }
  });
}

/** Copies codes or a key with one button, and offers them as a file. */
for (const list of document.querySelectorAll('[data-copy]')) {
  const codes = (list.matches('code') ? [list] : [...list.querySelectorAll('code')]).map((code) =>
    list.matches('code') ? code.textContent.replaceAll(' ', '') : code.textContent,
  );
  const text = `${codes.join('\n')}\n`;
  if (navigator.clipboard) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'small';
    button.textContent = list.dataset.copy;
    button.ariaLive = 'polite'; // screen readers say that it was copied
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(text);
      button.textContent = `✓ ${list.dataset.copy}`;
    });
    list.after(button);
  }
  if (list.dataset.download) {
    const link = document.createElement('a');
    link.className = 'button small';
    link.textContent = list.dataset.download;
    link.download = 'recovery-codes.txt';
    link.href = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
    list.after(link);
  }
}
