// Makes routes of a page that is declared as data: what it shows (GET), and what its forms do (POST). Every form is
// answered with a redirect to a page that has an address of its own (post, redirect, get), so that no reload sends a
// form again.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type, { type Static, type TObject } from 'typebox';
import { getProblem, Problem } from '../kit/problem.ts';
import { addressOf, hidden } from '../http/markup.ts';
import { wantsPage, type Translate } from '../http/pages.ts';
import { resultOf } from './form.ts';
import type { Refusal } from '../http/cookie/note.ts';
import { formField, PageQuery, type PageKit, type RefusedRequest } from './page.ts';
import { paths } from './paths.ts';
import { isSolvedElsewhere } from './recovery.ts';
import { addressOfUnsent, fieldsOf, refuse, type FormFields, type SentForm } from './sent-form.ts';

/** Query of any page. */
type PageQueryValues = Readonly<Static<typeof PageQuery>>;

/** One request of a person for a page, or with one of its forms. */
export interface Visit {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly t: Translate;
  readonly query: PageQueryValues & Readonly<Record<string, string | undefined>>;
  /** Where the person continues afterwards, if that is allowed. */
  readonly next: string | undefined;
  /** Markup of the hidden input with the form token; empty without a subject. */
  readonly token: string;
  /** Markup of the hidden inputs that every form of the page has: its token, and where to continue. */
  readonly inputs: string;
  /** The form that was refused before. */
  readonly refusal: Refusal | undefined;
  /** A form was not sent, because its session or the proof for it had ended: the page has what was typed. */
  readonly isUnsent: boolean;
  /** Returns what was typed into a field of the form that was refused or not sent; `otherwise` without such a form. */
  readonly typed: (name: string, otherwise?: string) => string;
}

/** The page to show instead of this one, as `load` returns it. */
export class Redirect {
  readonly address: string;

  constructor(address: string) {
    this.address = address;
  }
}

/** A form of a page, as `form()` declares it. */
export interface PageForm {
  readonly path: string | undefined;
  readonly summary: string;
  readonly fields: TObject;
  readonly config: object;
  readonly keeps: readonly string[];
  readonly back: ((fields: FormFields, visit: Visit) => string) | undefined;
  readonly submit: (fields: never, visit: Visit) => Promise<string>;
}

interface FormDefinition<Schema extends TObject> {
  /** Path to which the form is sent; that of the page by default. */
  readonly path?: string;
  readonly summary: string;
  /** Its fields, without the form token and the address to continue with, which every form has. */
  readonly fields: Schema;
  /** `costing()` or `hashing()`. */
  readonly config?: object;
  /** Fields that are filled in again after a refusal. Never a password. */
  readonly keeps?: readonly (keyof Static<Schema> & string)[];
  /** Returns the address of the page that shows a refusal; that of the page by default. */
  readonly back?: (fields: Static<Schema>, visit: Visit) => string;
  /**
   * Does what the form is for, and returns the path or URL to continue with.
   * @throws {Problem} if it is refused; the page then shows why.
   */
  readonly submit: (fields: Static<Schema>, visit: Visit) => Promise<string>;
}

/** Declares a form of a page. */
export function form<Schema extends TObject>(definition: FormDefinition<Schema>): PageForm {
  return {
    ...definition,
    path: definition.path,
    config: definition.config ?? {},
    keeps: definition.keeps ?? [],
    back: definition.back as PageForm['back'], // called with the validated body, as submit()
  };
}

/** A page as data. `View` is what it reads to show itself. */
export interface PageDefinition<View> {
  readonly path: string;
  readonly summary: string;
  /** `freeRead` for a page that reads no more than the session. */
  readonly config?: object;
  /** Key of the message of its title, or the title. */
  readonly title: string | ((visit: Visit, view: View) => string);
  /** `account`: a page of the account, with its navigation. */
  readonly layout?: 'account';
  /** Returns the id of the session or pending authentication to which its forms are bound (CSRF token), if any. */
  readonly subject?: (request: FastifyRequest) => string | undefined;
  /** Query members in addition to those of every page. */
  readonly query?: TObject;
  /** Keys of the messages of `?done=<name>`, which confirm what a form did. */
  readonly done?: Readonly<Record<string, string>>;
  /** The same for results that are no success, such as a form that came too late. */
  readonly notDone?: Readonly<Record<string, string>>;
  /** Names of fields that show their own fault; other faults are shown above the page. */
  readonly shows?: readonly string[];
  /** A refusal is shown by the body instead of above it. */
  readonly showsRefusal?: boolean;
  /** Answer for a client that accepts no HTML. */
  readonly program?: object;
  /** Opening it has an effect, as it continues what waits for the person: a HEAD is refused, which would do the same. */
  readonly hasEffect?: true;
  /** Its address contains a secret: browsers send no Referer at all. */
  readonly hasSecretAddress?: boolean;
  readonly isWide?: boolean;
  /** Where the choice of a language returns to, if the path has a parameter. */
  readonly address?: (visit: Visit) => string;
  /** Reads what the page shows; throws a Problem that another page solves, or returns that page. */
  readonly load: (visit: Visit) => Promise<View | Redirect> | View | Redirect;
  readonly body: (visit: Visit, view: View) => Promise<string> | string;
  readonly forms?: readonly PageForm[];
}

/** The routes of a page. The page and its forms may be at different access levels. */
export interface PageRoutes {
  /** Shows the page. */
  readonly show: FastifyPluginAsyncTypebox;
  /** Answers its forms. */
  readonly submit: FastifyPluginAsyncTypebox;
  /** Both. */
  readonly routes: FastifyPluginAsyncTypebox;
}

/** Makes the routes of a page. */
export function formPage<View>(pages: PageKit, page: PageDefinition<View>): PageRoutes {
  const show: FastifyPluginAsyncTypebox = async (scope) => {
    const schema = { summary: page.summary, querystring: queryOf(page) };
    scope.get(
      page.path,
      { config: page.config ?? {}, exposeHeadRoute: page.hasEffect !== true, schema },
      async (request, reply) => {
        if (page.program !== undefined && !wantsPage(request)) return page.program;
        const visit = visitOf(pages, page, request, reply);
        const view = await page.load(visit);
        if (view instanceof Redirect) return pages.go(visit, view.address);
        return sendPage(pages, page, visit, view);
      },
    );
  };
  const submit: FastifyPluginAsyncTypebox = async (scope) => {
    for (const one of page.forms ?? []) addForm(scope, pages, page, one);
  };
  const routes: FastifyPluginAsyncTypebox = async (scope, options) => {
    await show(scope, options);
    await submit(scope, options);
  };
  return { show, submit, routes };
}

/** Makes the routes of forms on a page of another module. Each has a path, and `back` leads to that page. */
export function pageForms(
  pages: PageKit,
  { subject, forms }: Pick<PageDefinition<never>, 'subject'> & { readonly forms: readonly PageForm[] },
): FastifyPluginAsyncTypebox {
  const page = { path: paths.account, ...(subject !== undefined && { subject }) };
  return async (scope) => {
    for (const one of forms) addForm(scope, pages, page, one);
  };
}

const optional = Type.Optional(formField);

/** The members of a page that its forms need. */
type FormOwner = Pick<PageDefinition<never>, 'path' | 'subject'>;

function addForm(scope: FastifyInstance, pages: PageKit, page: FormOwner, one: PageForm): void {
  const path = one.path ?? page.path;
  pages.forms.set(path, (refused) => refuseUnread(pages, page, one, refused));
  scope.post(
    path,
    { config: one.config, schema: { summary: one.summary, body: bodyOf(one) } },
    async (request, reply) => answer(pages, page, one, visitOf(pages, page, request, reply)),
  );
}

function queryOf({ query }: Pick<PageDefinition<unknown>, 'query'>): TObject {
  return Type.Object({ ...PageQuery.properties, ...query?.properties });
}

function bodyOf({ fields }: PageForm): TObject {
  return Type.Object({ ...fields.properties, form_token: optional, return_to: optional });
}

function visitOf(
  pages: PageKit,
  { subject }: Pick<PageDefinition<never>, 'subject'>,
  request: FastifyRequest,
  reply: FastifyReply,
): Visit {
  const next = pages.returnTo(request);
  const { done, ...asked } = request.query as Visit['query']; // queryOf()
  const query = { ...asked, ...(done !== undefined && pages.notes.results.has(request, done) && { done }) };
  const note = query.note === undefined ? undefined : pages.notes.read(request.headers.cookie, query.note);
  const refusal = note?.problem === undefined ? undefined : { problem: note.problem, typed: note.typed };
  const id = subject?.(request);
  const token = id === undefined ? '' : pages.formToken(id);
  return {
    request,
    reply,
    t: pages.translate(request),
    query,
    next,
    token,
    inputs: html`!${token} !${hidden('return_to', next)}`,
    refusal,
    isUnsent: note !== undefined && refusal === undefined,
    typed: (name, otherwise = '') => (note === undefined ? otherwise : (note.typed[name] ?? '')),
  };
}

async function sendPage<View>(
  pages: PageKit,
  page: PageDefinition<View>,
  visit: Visit,
  view: View,
): Promise<FastifyReply> {
  const { request, reply, t, refusal } = visit;
  const { title, layout, isWide, hasSecretAddress } = page;
  const isRefused = refusal !== undefined || visit.isUnsent;
  const body = html`!${await pages.destination(t, visit.next)} !${resultOf(visit, page)}
  !${await page.body(visit, view)}`;
  if (refusal !== undefined) {
    const { code, retryAfterSeconds } = refusal.problem;
    if (retryAfterSeconds !== undefined) void reply.header('retry-after', retryAfterSeconds);
    void reply.status(getProblem(code).status);
  }
  const sent = {
    title: typeof title === 'string' ? t(title) : title(visit, view),
    body,
    isRefused,
    ...(isWide !== undefined && { isWide }),
    ...(hasSecretAddress !== undefined && { hasSecretAddress }),
    ...(page.address !== undefined && { address: page.address(visit) }),
  };
  return layout === 'account' ? pages.sendAccount(request, reply, sent) : pages.send(request, reply, sent);
}

/** Does what a form is for and redirects; after a refusal to the page of the form, unless another page solves it. */
async function answer(pages: PageKit, page: FormOwner, one: PageForm, visit: Visit): Promise<FastifyReply> {
  const fields = visit.request.body as FormFields; // bodyOf()
  const subject = page.subject?.(visit.request);
  if (subject !== undefined) pages.requireForm(subject, fields['form_token']);
  try {
    const target = await one.submit(fields as never, visit);
    return await pages.go(visit, target);
  } catch (error) {
    if (!(error instanceof Problem) || isSolvedElsewhere(error)) throw error;
    return refuse(pages.notes, sentForm(page, one, fields, visit), error);
  }
}

/** Returns a form as it was sent. */
function sentForm(page: FormOwner, one: PageForm, fields: FormFields, visit: Visit): SentForm {
  const address = one.back?.(fields, visit) ?? addressOf(page.path, { return_to: visit.next });
  return { form: one, fields, address, reply: visit.reply };
}

/** Answers a form that did not reach its page if waiting solves that, as with a limit. Otherwise returns its address. */
async function refuseUnread(
  pages: PageKit,
  page: FormOwner,
  one: PageForm,
  { problem, request, reply }: RefusedRequest,
): Promise<string | undefined> {
  request.query = pages.queries.parse(request.query);
  const fields = await fieldsOf(request, problem);
  const sent = sentForm(page, one, fields, visitOf(pages, {}, request, reply));
  if (problem.retryAfterSeconds === undefined) return addressOfUnsent(pages.notes, sent);
  refuse(pages.notes, sent, problem);
  return undefined;
}
