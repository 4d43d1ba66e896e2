// Enhances the pages where scripts run; each page works without them. Stores nothing and requests only this service.

const webauthnForms = [...document.querySelectorAll('form[data-webauthn]')];

/** @param {HTMLFormElement} form @param {Record<string, string>} fields */
async function askOptions(form, fields) {
  const reply = await fetch(form.dataset.options, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(fields),
  });
  if (reply.status === 401 && form.dataset.webauthn === 'create') location.reload(); // the page asks for authentication first
  if (!reply.ok) throw new Error('refused');
  return (await reply.json()).public_key;
}

/** @param {HTMLFormElement} form @param {CredentialRequestOptions} more */
async function getAnswer(form, more = {}) {
  if (form.dataset.webauthn === 'get') {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await askOptions(form, {}));
    return navigator.credentials.get({ publicKey, ...more });
  }
  const fields = {};
  if (form.dataset.use) fields.use = form.dataset.use;
  if (form.dataset.email) {
    const typed = document.getElementById(form.dataset.email);
    if (!typed.reportValidity()) return null;
    fields.email = typed.value;
    form.elements.namedItem('email').value = typed.value;
  }
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(await askOptions(form, fields));
  return navigator.credentials.create({ publicKey });
}

/** @param {HTMLFormElement} form @param {Credential} credential */
function sendAnswer(form, credential) {
  const input = form.elements.namedItem('credential') ?? form.elements.namedItem('proof');
  input.value = JSON.stringify(credential);
  form.submit();
}

/** Only one ceremony can run: submitting a form aborts the autofill that waits in the background. */
const autofillAbort = new AbortController();

for (const form of webauthnForms) {
  if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) break;
  form.hidden = false;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    autofillAbort.abort();
    const failed = form.querySelector('[data-failed]');
    if (failed) failed.hidden = true;
    const button = form.querySelector('button:last-of-type');
    button.setAttribute('aria-disabled', 'true');
    try {
      const credential = await getAnswer(form);
      if (credential) return sendAnswer(form, credential);
    } catch {
      if (failed) failed.hidden = false;
    }
    button.removeAttribute('aria-disabled');
  });
}

const autofill = webauthnForms.find((form) => form.dataset.autofill !== undefined && !form.hidden);
if (autofill) fillBy(autofill);

async function fillBy(form) {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  try {
    const credential = await getAnswer(form, { mediation: 'conditional', signal: autofillAbort.signal });
    if (credential) sendAnswer(form, credential);
  } catch {
    // The user signs in another way, or submitted the form.
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

/** Submits a form once, however often its button is pressed. */
for (const form of document.querySelectorAll('form:not([data-webauthn])')) {
  form.addEventListener('submit', (event) => {
    const button = event.submitter;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = 'yes';
    button?.setAttribute('aria-disabled', 'true');
  });
}
addEventListener('pageshow', () => {
  // The user navigated back: the form may be submitted again.
  for (const form of document.forms) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll('[aria-disabled]')) button.removeAttribute('aria-disabled');
  }
});

const { show, hide, length } = document.body.dataset;

for (const input of document.querySelectorAll('input[type="password"]')) {
  const box = document.createElement('div');
  box.className = 'secret';
  input.replaceWith(box);
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = show;
  button.setAttribute('aria-controls', input.id);
  button.setAttribute('aria-pressed', 'false');
  button.addEventListener('click', () => {
    const isShown = input.type === 'text';
    input.type = isShown ? 'password' : 'text';
    button.textContent = isShown ? show : hide;
    button.setAttribute('aria-pressed', String(!isShown));
    input.focus();
  });
  box.append(input, button);
  // Restores the type before submission, so that password managers recognize the field.
  input.form?.addEventListener('submit', () => (input.type = 'password'));
}

for (const input of document.querySelectorAll('input[data-check]')) watchPassword(input);

/** Counts the characters while typing, and checks for a common password when typing pauses. */
function watchPassword(input) {
  const minLength = Number(input.dataset.least);
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
      typed === 0 || minLength < 2 ? '' : length.replace('#', typed).replace('#', minLength);
    fault.textContent = '';
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

/** Copies all recovery codes with one button. */
for (const list of document.querySelectorAll('[data-copy]')) {
  if (!navigator.clipboard) continue;
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'second';
  button.textContent = list.dataset.copy;
  button.addEventListener('click', async () => {
    const codes = [...list.querySelectorAll('code')].map(({ textContent }) => textContent);
    await navigator.clipboard.writeText(`${codes.join('\n')}\n`);
    button.textContent = `✓ ${list.dataset.copy}`;
  });
  list.after(button);
}
