// Schemas that the routes of passkeys share. Options and credentials keep the member names of WebAuthn (Level 3 §5.1.8,
// §5.1.9).
import Type from 'typebox';
import { proof } from '../../http/fields.ts';

/** Options for the browser. */
export const PublicKey = Type.Object({ public_key: Type.Object({}, { additionalProperties: true }) });

export const credential = { ...proof, description: 'JSON text of the credential from the browser' };
