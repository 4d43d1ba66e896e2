import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { coreOptions } from '../config/options.ts';
import { readOptions } from '../app/options.ts';
import { argon2Bounds } from './argon2-format.ts';
import { hashFormats, isKnownHash, readHash } from './format.ts';
import { springPbkdf2 } from './pbkdf2-format.ts';
import { springScrypt } from './scrypt-format.ts';
import { UnreadableHash, type HashFormat } from './stored-hash.ts';

interface Vector {
  readonly source: string;
  readonly password: string;
  readonly hash: string;
}

/** Published test vectors, and hashes created by other implementations; none was created by this service. */
const vectors: readonly Vector[] = [
  {
    source: 'argon2i 1.0, the reference implementation',
    password: 'password',
    hash: '$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ',
  },
  {
    source: 'argon2id 1.3, the reference implementation',
    password: 'password',
    hash: '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  },
  {
    source: 'argon2id 1.3 of two lanes, the reference implementation',
    password: 'password',
    hash: '$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc',
  },
  {
    source: 'argon2d 1.3 with a digest of 16 bytes',
    password: 'password',
    hash: '$argon2d$v=19$m=16,t=2,p=1$Mmx3eWR3YkJONkhoTGFnNA$HD1EIj2bqdfwQrJDP+FY6w',
  },
  {
    source: 'bcrypt $2a$, Openwall',
    password: 'U*U',
    hash: '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW',
  },
  {
    source: 'bcrypt $2a$, Openwall',
    password: 'U*U*U',
    hash: '$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a',
  },
  {
    source: 'bcrypt $2y$, libxcrypt',
    password: 'password',
    hash: '$2y$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu',
  },
  {
    source: 'bcrypt with unused bits set in its salt, libxcrypt',
    password: 'password',
    hash: '$2b$05$abcdefghijklmnopqrstu9WG29KuyeAicPCJODk1zjyGvyQUU2awu',
  },
  {
    source: 'scrypt, RFC 7914 §12, third vector',
    password: 'pleaseletmein',
    hash: '$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw',
  },
  {
    source: 'scrypt of sixteen lanes, RFC 7914 §12, second vector',
    password: 'password',
    hash: '$scrypt$ln=10,r=8,p=16$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWIurzDZLiKjiG/xCSedmDDaxyevuUqD7m2DYMvfoswGQA',
  },
  {
    source: 'scrypt, the manual of passlib',
    password: 'password',
    hash: '$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E',
  },
  {
    source: 'scrypt, made by Werkzeug',
    password: 'café',
    hash: 'scrypt:32768:8:1$nEWC0yTCXcsUd79D$a26c522383c23402e164488d69d3662e1587452c437aee83275b71bf9ed03516e34eecdd97a6ba66bec2e808fc17127dd9ddef0f60cc473a22599491686b07c6',
  },
  {
    source: 'the scrypt of Firebase, the example of its repository',
    password: 'user1password',
    hash: '$firebase-scrypt$ln=14,r=8,p=1,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==,ss=Bw==$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==',
  },
  {
    source: 'PBKDF2-SHA-1, RFC 6070 §2, third vector',
    password: 'password',
    hash: '$pbkdf2-sha1$i=4096,l=20$c2FsdA$SwB5AbdlSJq+rUnZJvch0GWkKcE',
  },
  {
    source: 'PBKDF2-SHA-1 of two blocks, RFC 6070 §2, fifth vector',
    password: 'passwordPASSWORDpassword',
    hash: '$pbkdf2-sha1$i=4096,l=25$c2FsdFNBTFRzYWx0U0FMVHNhbHRTQUxUc2FsdFNBTFRzYWx0$PS7sT+QchJuAyNg2YsDkSospGpZM8vBwOA==',
  },
  {
    source: 'PBKDF2-SHA-256, RFC 7914 §11',
    password: 'passwd',
    hash: '$pbkdf2-sha256$i=1,l=64$c2FsdA$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLxJypzM8Xm2RZkWZLOdd+8xfHG4RbHjC9UJESBB06GXgw',
  },
  {
    source: 'PBKDF2-SHA-512 with the parts of a Keycloak credential, made by Python',
    password: 'motdepasse',
    hash: '$pbkdf2-sha512$i=210000$MDEyMzQ1Njc4OWFiY2RlZg==$P6BFpjl++u24WPWmYrZlwSnH/ZSG8IJ+3ARf2X1VoZtqKbAl1St4JgzyvLBvTxA/woHkHv6G3xKFfm1qf/n7DA==',
  },
  {
    source: 'PBKDF2-SHA-1, the tests of passlib',
    password: 'password',
    hash: '$pbkdf2$1212$OB.dtnSEXZK8U5cgxU/GYQ$y5LKPOplRmok7CZp/aqVDVg8zGI',
  },
  {
    source: 'PBKDF2-SHA-256, the tests of passlib',
    password: 'password',
    hash: '$pbkdf2-sha256$1212$4vjV83LKPjQzk31VI4E0Vw$hsYF68OiOUPdDZ1Fg.fJPeq1h/gXXY7acBp9/6c.tmQ',
  },
  {
    source: 'PBKDF2-SHA-512, the tests of passlib',
    password: 'password',
    hash: '$pbkdf2-sha512$1212$RHY0Fr3IDMSVO/RSZyb5ow$eNLfBK.eVozomMr.1gYa17k9B7KIK25NOEshvhrSX.esqY3s.FvWZViXz4KoLlQI.BzY/YTNJOiKc5gBYFYGww',
  },
  {
    source: 'PBKDF2-SHA-256, the tests of Django',
    password: 'lètmein',
    hash: 'pbkdf2_sha256$720000$seasalt$eDupbcisD1UuIiou3hMuMu8oe/XwnpDw45r6AA5iv0E=',
  },
  {
    source: 'PBKDF2-SHA-1 of Django, the tests of passlib',
    password: 'not a password',
    hash: 'pbkdf2_sha1$10000$wz5B6WkasRoF$atJmJ1o+XfJxKq1+Nu1f1i57Z5I=',
  },
  {
    source: 'PBKDF2-SHA-512, made by Werkzeug',
    password: 'café',
    hash: 'pbkdf2:sha512:1000$KlQxkEitle44Awl5$358156eedd664c8dc588a14ab0bd0ed4bc4ff3b4407a30aa2a403648b3cca5da0bd6dbd80b88cc30896028774b4e6b6e6f69afa11881b4d7bd833cb1f7e54354',
  },
  {
    source: 'PBKDF2-SHA-256, made by Werkzeug',
    password: 'secret',
    hash: 'pbkdf2:sha256:1000$LVGKfmXXX89T0EHC$097a935a842accf5be3308b5407e1bd728b2f1182cd73b53193a58c2ea19dacf',
  },
  {
    source: 'SHA-1 of a directory, made by slapd',
    password: 'coin',
    hash: '{SHA}NHj+acfc68FPYrMipEBZ3t8ABGY=',
  },
  {
    source: 'salted SHA-1 of a directory, made by slapd',
    password: 'coin',
    hash: '{SSHA}zLPxfZ3RSNkIwVdHWEyB4Tpr6fT9LiVX',
  },
  {
    source: 'salted SHA-256, made by Python',
    password: 'motdepasse',
    hash: '{SSHA256}GjaWub5GMH4cUVHlxQIhT6LpAnzTU37QT/6wdJhzY29zYWx0c2FsdA==',
  },
  {
    source: 'salted SHA-512 with a scheme in small letters',
    password: 'password',
    hash: '{ssha512}dOeDLmVpHJThhHeag10Hm2g4T7s3SBE6rGHcXUolXJHVufY4qT782rwZ/0XE6cuLcBZ0KpnwmUzRpAEtZBdv+JYEEtZQs/uC',
  },
  {
    source: 'salted SHA-512 in hex, made by Python',
    password: 'motdepasse',
    hash: '{SSHA512}5f4d6d3b22ffdbe4617fbd994242635210aedbdf31bc3a060144dc84c4faf453b6e475da89e063aa1edadfd27b6ddb1d1a7ee6e9e0d91cc3f38b93975c0a43f573616c7473616c74',
  },
  {
    source: 'PBKDF2, made by doveadm 2.3.19',
    password: 'correct horse',
    hash: '{PBKDF2}$1$kPD01Xqc4s4SeK4Z$5000$55bb47bee124b58319f6725be483d7da84fe69f1',
  },
  {
    source: 'PBKDF2 with another cost, made by doveadm 2.3.19',
    password: 'x',
    hash: '{PBKDF2}$1$yeyCSEju8oAzkbvi$1000$ab15f91704f8feae8df80d028d34489cc7bd5c84',
  },
  {
    source: 'PBKDF2 in base64, made by doveadm 2.3.19',
    password: 'x',
    hash: '{PBKDF2.B64}JDEkY1gvSU9nbEp4NnNmend5RiQ1MDAwJGMxZjNlNjY4MmQ1YThiMzk4OTJlMmQ2NjVhODhjYjZmMDU4MDllMWE=',
  },
  {
    source: 'SHA-1 with its number, made by doveadm 2.3.19',
    password: 'correct horse',
    hash: '{SHA1}L55TUjtiq8FBorTWAZ0jy6g129A=',
  },
  {
    source: 'salted SHA-1 in hex, made by doveadm 2.3.19',
    password: 'correct horse',
    hash: '{SSHA.HEX}46a3a99949f47c8d2a0266bda1b348d535d1e3bfb9f8aab4',
  },
  {
    source: 'salted SHA-512 in hex, made by doveadm 2.3.19',
    password: 'correct horse',
    hash: '{SSHA512.HEX}89282aeeb27cf084b1fa311f153edaea3a464a3c675e2f41ca86a7955d25a5ce87f3083172f8cd889d0167a5a67bbf3f3e7e5517bb60f2c057ac59e59caf4378f55e4c77',
  },
  {
    source: 'SHA-256 in hex, made by doveadm 2.3.19',
    password: 'correct horse',
    hash: '{SHA256.HEX}4104d36f8da2c254349f85836793ebe029e0c957063a34c91c2e9203187b5631',
  },
  {
    source: 'SHA-512 in base64, made by doveadm 2.3.19',
    password: 'correct horse',
    hash: '{SHA512.B64}VraY3v7bWkNbY0r+MyC7rz/c2SC2xQOkRvx7endrKY1HnRumqLYXgI6wv1ec6aldZoNHvKtxSQhayTyyeZUZew==',
  },
  {
    source: 'bcrypt in hex, made by doveadm 2.3.19',
    password: 'correct horse',
    hash: '{BLF-CRYPT.HEX}24327924303524314b75694154644a6f506a756b5852657674344f362e4571757768696f30426d2f356d6e31466964366a6e7338704d76396b57344b',
  },
  {
    source: 'argon2id in base64, made by doveadm 2.3.19',
    password: 'correct horse',
    hash: '{ARGON2ID.B64}JGFyZ29uMmlkJHY9MTkkbT02NTUzNix0PTMscD0xJHp0d0ZhV2hoN0N0OHozZm1tamxwREEkbE9VZkQxZlQ3c2h6a3gvVmtEaWpuTSt3MzN1bmQ1WU5ycGttQVhyU2sraw==',
  },
  {
    source: 'salted SHA-1 in base64, made by doveadm 2.3.19',
    password: 'x',
    hash: '{SSHA.BASE64}j1TfwndC3pqW/CfW6spYK7esk8rP+rs8',
  },
  {
    source: "salted SHA-1 of slappasswd 2.5 behind Spring's scheme",
    password: 'correct horse',
    hash: '{ldap}{SSHA}CS7yjqeqgHWZUQjG2VKFkS6EFQuU6EgV',
  },
  {
    source: 'PBKDF2-SHA-512 of OpenLDAP, made by passlib 1.7.4',
    password: 'correct horse',
    hash: '{PBKDF2-SHA512}2000$y9m7d04p5dxbaw2h1FqrtQ$YaZYu2dMO38GVjRjk29rCaJ0TFELRlbTPOAIfF9NA0.sz6DKDbElHqVRRhXTlRk1R2l0FKp339ibigDn158Z5Q',
  },
  {
    source: 'phpass, its own test program',
    password: 'test12345',
    hash: '$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0',
  },
  {
    source: 'phpass of quotes and a backslash, made by WordPress 6.1.9 from a form',
    password: String.raw`it's a "quoted" pass\word`,
    hash: '$P$BjqzktDYRppSZMsJPMcLy.BG3ykS0C1',
  },
  {
    source: 'phpass of a password with blanks around it, made by WordPress 6.1.9',
    password: '  blanks around  ',
    hash: '$P$BAqZT/qhSRio7QzV8uD.IOL8ejpVjE1',
  },
  {
    source: 'bcrypt of WordPress, made by PHP 8.2 and wp_magic_quotes of WordPress 6.1.9',
    password: String.raw` it's a "quoted" pass\word `,
    hash: '$wp$2y$05$nysfqt2/mmNah.VtHHL3gOh49nPjSPlUe3/wmP9u5k5WY/e8DbfM2',
  },
  {
    source: 'phpBB, made by passlib 1.7.4 from what htmlspecialchars of PHP 8.2 makes of the password',
    password: `a<b> & "c"'s`,
    hash: '$H$9ECmDlTxQELzUQHSaEwtMFd8moxMFc1',
  },
  { source: 'phpBB, the tests of passlib', password: '123456', hash: '$H$9PE8jEklgZhgLmZl5.HYJAzfGCQtzi1' },
  {
    source: 'phpass of many rounds, the tests of passlib',
    password: 'compL3X!',
    hash: '$P$FiS0N5L672xzQx1rt1vgdJQRYKnQM9/',
  },
  {
    source: 'argon2id with padding, the tests of Keycloak',
    password: 'secret',
    hash: '$argon2id$v=19$m=7168,t=5,p=1$LRScGShC7shkdoU5B1UgUQ==$xKjWvB9+0sSP6wTqI1JoEI7w+iA0x9VDhPgmrOHRG80=',
  },
  {
    source: 'argon2i of Django, the tests of djangohashers',
    password: 'ExjGmyUT73bFoT',
    hash: 'argon2$argon2i$v=19$m=512,t=2,p=2$S1E4emVLNndLUnVS$RUET3AC8iXvcVPD2TRjvVQ',
  },
  {
    source: 'bcrypt, made by Django',
    password: 'lètmein',
    hash: 'bcrypt$$2b$04$c40A.TCEvE0EtlqPBZCas.dTLwPwBRpRvIhb2yf5vSlzbQx4qn6AS',
  },
  {
    source: 'bcrypt of SHA-256, made by Django',
    password: 'lètmein',
    hash: 'bcrypt_sha256$$2b$04$FPcgy8uRu15834SvGgcdjerIHXEirr6M5vtj9bsxvZklAnp2ZZf8e',
  },
  {
    source: 'scrypt, the tests of Django',
    password: 'lètmein',
    hash: 'scrypt$16384$seasalt$8$5$ECMIUp+LMxMSK8xB/IVyba+KYGTI7FTnet025q/1f/vBAVnnP3hdYqJuRi+mJn6ji6ze3Fbb7JEFPKGpuEf5vw==',
  },
  {
    source: 'bcrypt, the manual of Spring Security',
    password: 'password',
    hash: '{bcrypt}$2a$10$dXJ3SW6G7P50lGmMkkmwe.20cQQubK3.HZWzG3YB1tlRy.fqvM/BG',
  },
  {
    source: 'PBKDF2-SHA-1, the manual of Spring Security',
    password: 'password',
    hash: '{pbkdf2}5d923b44a6d129f3ddf3e3c8d29412723dcbde72445e8ef6bf3b508fbf17fa4ed4d6b99ca763d8dc',
  },
  {
    source: 'PBKDF2-SHA-256, the tests of Spring Security',
    password: 'password',
    hash: '{pbkdf2@SpringSecurity_v5_8}fefe5120467e5d4ccff442dbb2fa86d276262d97435c0c54e5eebced51ffd144fcb05eb53fea2677216c4f3250010006',
  },
  {
    source: 'scrypt, the manual of Spring Security',
    password: 'password',
    hash: '{scrypt}$e0801$8bWJaSu2IKSn9Z9kM+TPXfOc/9bdYSrN1oD9qfVThWEwdRTnO7re7Ei+fUZRJ68k9lTyuTeUp4of4g24hHnazw==$OAOec05+bXxvuu/1qZ6NUR+xQYvYv7BeL1QxwRpY5Pc=',
  },
  {
    source: 'argon2id behind the scheme of Spring Security',
    password: 'password',
    hash: '{argon2}$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc',
  },
  {
    source: 'bcrypt behind the scheme of Dovecot',
    password: 'password',
    hash: '{BLF-CRYPT}$2y$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu',
  },
  {
    source: 'argon2id behind the scheme of Dovecot',
    password: 'password',
    hash: '{ARGON2ID}$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc',
  },
  {
    source: 'bcrypt behind the scheme of OpenLDAP',
    password: 'password',
    hash: '{CRYPT}$2y$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu',
  },
  {
    source: 'argon2id behind the scheme of OpenLDAP',
    password: 'password',
    hash: '{ARGON2}$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc',
  },
  {
    source: 'PBKDF2-SHA-256 of OpenLDAP, the tests of passlib',
    password: 'password',
    hash: '{PBKDF2-SHA256}1212$4vjV83LKPjQzk31VI4E0Vw$hsYF68OiOUPdDZ1Fg.fJPeq1h/gXXY7acBp9/6c.tmQ',
  },
  {
    source: 'bcrypt of WordPress, the tests of hashcat',
    password: 'hashpwn',
    hash: '$wp$2y$10$607XKVrBjPEqujeOXNwbYuOJ.gPMd2TelMMknmeV70Kap1E81Ovo6',
  },
  {
    source: 'scrypt with the parts of Better Auth, made by Python, of a password with a wide letter',
    password: 'ｍotdepasse',
    hash: '00112233445566778899aabbccddeeff:4d35e2ab1fa1b3718586fc220e99f54a9c2e8e38c6cb417fdbbf23cc33342fcab341b7389ca852534545821234f6f3e9290578e8d9757086a2443cd7e689c706',
  },
  {
    source: 'scrypt with the parts of Better Auth, made by Python',
    password: 'motdepasse',
    hash: '00112233445566778899aabbccddeeff:4d35e2ab1fa1b3718586fc220e99f54a9c2e8e38c6cb417fdbbf23cc33342fcab341b7389ca852534545821234f6f3e9290578e8d9757086a2443cd7e689c706',
  },
  {
    source: 'ASP.NET Identity 2, the tests of ASP.NET Core',
    password: 'my password',
    hash: 'ANXrDknc7fGPpigibZXXZFMX4aoqz44JveK6jQuwY3eH/UyPhvr5xTPeGYEckLxz9A==',
  },
  {
    source: 'ASP.NET Identity 3 with SHA-1, the tests of ASP.NET Core',
    password: 'my password',
    hash: 'AQAAAAAAAAD6AAAAEAhftMyfTJylOlZT+eEotFXd1elee8ih5WsjXaR3PA9M',
  },
  {
    source: 'ASP.NET Identity 3 with SHA-256, the tests of ASP.NET Core',
    password: 'my password',
    hash: 'AQAAAAEAACcQAAAAEAABAgMEBQYHCAkKCwwNDg+yWU7rLgUwPZb1Itsmra7cbxw2EFpwpVFIEtP+JIuUEw==',
  },
  {
    source: 'ASP.NET Identity 3 with SHA-512, the tests of ASP.NET Core',
    password: 'my password',
    hash: 'AQAAAAIAAAD6AAAAIJbVi5wbMR+htSfFp8fTw8N8GOS/Sje+S/4YZcgBfU7EQuqv4OkVYmc4VJl9AGZzmRTxSkP7LtVi9IWyUxX8IAAfZ8v+ZfhjCcudtC1YERSqE1OEdXLW9VukPuJWBBjLuw==',
  },
];

describe('the formats of stored hashes', () => {
  for (const { source, password, hash } of vectors) {
    test(`${source}: the password matches, a longer one and an empty one do not`, async () => {
      const check = readHash(hash);
      assert.equal(await check(password), true);
      assert.equal(await check(`${password}x`), false);
      assert.equal(await check(''), false);
    });

    test(`${source}: a changed digest no longer matches`, async () => {
      // Changes a character inside the digest, because the last characters may contain unused bits. Where it is encoded
      // again, the result may be malformed.
      const place = hash.length - 8;
      const changed = `${hash.slice(0, place)}${hash[place] === '0' ? '1' : '0'}${hash.slice(place + 1)}`;
      assert.equal(isKnownHash(changed) && (await readHash(changed)(password)), false);
    });
  }

  test('isKnownHash accepts each of them, also with a line break behind it', () => {
    assert.deepEqual(
      vectors.filter(({ hash }) => !isKnownHash(hash) || !isKnownHash(` ${hash}\r\n`)),
      [],
    );
  });

  test('each has a test vector, and a hash begins like one of them only', () => {
    const formatsOf = (hash: string): HashFormat[] => hashFormats.filter(({ begins }) => begins.test(hash));
    assert.deepEqual(
      vectors.filter(({ hash }) => formatsOf(hash).length !== 1),
      [],
    );
    assert.deepEqual(new Set(vectors.flatMap(({ hash }) => formatsOf(hash))), new Set(hashFormats));
  });

  test('behind a scheme of a directory match with the scheme in capital and small letters', async () => {
    const caseSensitive = [springPbkdf2, springScrypt];
    const schemes = vectors.filter(
      ({ hash }) => hash.startsWith('{') && !caseSensitive.some(({ begins }) => begins.test(hash)),
    );
    assert.ok(schemes.length > 20);
    for (const { password, hash } of schemes) {
      for (const change of ['toUpperCase', 'toLowerCase'] as const) {
        const changed = hash.replace(/^\{[^@}]+/, (scheme) => scheme[change]());
        assert.equal(await readHash(changed)(password), true, changed);
      }
    }
  });

  for (const { from, begins, read, spellings } of hashFormats) {
    if (spellings === undefined) continue;
    test(`${from}: a hash of what the product makes of a password matches the password`, async () => {
      const changed = vectors.filter(
        ({ password, hash }) => begins.test(hash) && spellings(password).some((each) => each !== password),
      );
      assert.notEqual(changed.length, 0);
      for (const { password, hash } of changed) {
        assert.equal(await read(hash)(password), false, 'the product has hashed the password as typed');
        assert.equal(await readHash(hash)(password), true);
      }
    });
  }
});

describe('bcrypt', () => {
  // A22: the library would accept both.
  test('never matches a password of more than 72 bytes, or one with a NUL', async () => {
    const { hashSync } = await import('@node-rs/bcrypt');
    const check = readHash(hashSync('a'.repeat(72), 4));
    assert.equal(await check('a'.repeat(72)), true);
    assert.equal(await check('a'.repeat(73)), false);
    // bcrypt repeats a short key including its NUL, so these two are the same key.
    assert.equal(await readHash(hashSync('a', 4))('a\0a'), false);
  });
});

/** Returns an ASP.NET hash of version 3 with these numbers, followed by some bytes. */
function aspNet(hash: number, iterations: number, saltBytes: number, bytes: number): string {
  const header = Buffer.alloc(13);
  header[0] = 1;
  header.writeUInt32BE(hash, 1);
  header.writeUInt32BE(iterations, 5);
  header.writeUInt32BE(saltBytes, 9);
  return Buffer.concat([header, Buffer.alloc(bytes, 7)]).toString('base64');
}

/** Salt and digest of hashes that only have the form of one. */
const salt = 'c29tZXNhbHQ';
const digest = 'CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';

/** The most expensive hashes below the bounds of the reference, and the same with a slightly higher cost. */
const costs: Readonly<Record<string, (isAbove: boolean) => string>> = {
  'argon2 memory': (isAbove) =>
    `$argon2id$v=19$m=${isAbove ? 1_048_577 : 1_048_576},t=1,p=1$${salt}$${digest}`,
  'argon2 memory times passes': (isAbove) =>
    `$argon2id$v=19$m=1048576,t=${isAbove ? 5 : 4},p=1$${salt}$${digest}`,
  bcrypt: (isAbove) => `$2b$${isAbove ? 16 : 15}$${'a'.repeat(21)}u${'a'.repeat(31)}`,
  'bcrypt of WordPress': (isAbove) => `$wp$2y$${isAbove ? 16 : 15}$${'a'.repeat(21)}u${'a'.repeat(31)}`,
  'PBKDF2-SHA-1': (isAbove) => `pbkdf2_sha1$${isAbove ? 10_000_001 : 10_000_000}$salt$${'A'.repeat(27)}=`,
  'PBKDF2-SHA-256': (isAbove) => `pbkdf2_sha256$${isAbove ? 10_000_001 : 10_000_000}$salt$${digest}`,
  'PBKDF2-SHA-512': (isAbove) => `$pbkdf2-sha512$i=${isAbove ? 3_000_001 : 3_000_000}$${salt}$${digest}`,
  'PBKDF2-SHA-512 of Werkzeug': (isAbove) =>
    `pbkdf2:sha512:${isAbove ? 3_000_001 : 3_000_000}$salt$${'ab'.repeat(64)}`,
  'PBKDF2-SHA-512 of ASP.NET': (isAbove) => aspNet(2, isAbove ? 3_000_001 : 3_000_000, 16, 48),
  'PBKDF2-SHA-256 of two blocks': (isAbove) =>
    `pbkdf2_sha256$${isAbove ? 5_000_001 : 5_000_000}$salt$${'A'.repeat(84)}`,
  scrypt: (isAbove) => `$scrypt$ln=${isAbove ? 20 : 19},r=8,p=1$${salt}$${digest}`,
  'scrypt lanes': (isAbove) => `scrypt:65536:8:${isAbove ? 9 : 8}$salt$${'ab'.repeat(64)}`,
  'scrypt of Spring': (isAbove) => `{scrypt}$${isAbove ? '14' : '13'}0801$${salt}$${digest}`,
  phpass: (isAbove) => `$P$${isAbove ? 'H' : 'G'}IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0`,
};

for (const [name, hashOf] of Object.entries(costs)) {
  test(`${name} is accepted at the bound of its cost and rejected above it`, () => {
    assert.deepEqual([isKnownHash(hashOf(false)), isKnownHash(hashOf(true))], [true, false]);
  });
}

test('a hash whose parameters are accepted can be computed', async () => {
  const body = `$${salt}$${digest}`;
  const scrypts = [1, 2, 10, 15, 16, 17].flatMap((ln) =>
    [1, 2, 8, 64].flatMap((r) => [1, 2, 64].map((p) => ({ ln, r, p }))),
  );
  const argon2s = [8, 16, 24, 512].flatMap((m) =>
    [1, 2, 100].flatMap((t) => [1, 2, 3, 64].flatMap((p) => ['id', 'i', 'd'].map((v) => ({ v, m, t, p })))),
  );
  const pbkdf2s = ['sha1', 'sha256', 'sha512'].flatMap((name) =>
    ['1', '02', '999'].flatMap((i) => [16, 33, 128].map((bytes) => ({ name, i, bytes }))),
  );
  const hashes = [
    ...scrypts
      .filter(({ ln, r, p }) => 2 ** ln * r * p < 2 ** 19)
      .flatMap(({ ln, r, p }) => [
        `$scrypt$ln=${ln},r=${r},p=${p}${body}`,
        `scrypt$${2 ** ln}$salt$${r}$${p}$${digest}`,
        `$firebase-scrypt$ln=${ln},r=${r},p=${p},sk=${digest},ss=${body}`,
      ]),
    ...argon2s.map(({ v, m, t, p }) => `$argon2${v}$v=19$m=${m},t=${t},p=${p}${body}`),
    ...pbkdf2s.map(({ name, i, bytes }) => `pbkdf2:${name}:${i}$salt$${'ab'.repeat(bytes)}`),
  ];
  const accepted = hashes.filter((hash) => isKnownHash(hash));
  assert.ok(accepted.length > 150);
  for (const hash of accepted) assert.equal(await readHash(hash)('password'), false, hash);
});

describe('a hash that cannot be verified', () => {
  const rows: readonly (readonly [why: string, hash: string, reason: RegExp])[] = [
    ['an empty text', '', /format is unknown/],
    ['a plain-text password', 'password', /format is unknown/],
    [
      'a crypt(3) hash',
      '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO/O817G3uBnIFNjnQJuesI68OTLiBFdcbYEdFCoEOfaS35inz1',
      /format is unknown/,
    ],
    ['argon2 without a digest', `$argon2id$v=19$m=65536,t=2,p=1$${salt}`, /is malformed/],
    ['argon2 of an unknown version', `$argon2id$v=20$m=65536,t=2,p=1$${salt}$${digest}`, /is malformed/],
    ['argon2 with a second line', `$argon2id$v=19$m=65536,t=2,p=1$${salt}$${digest}\nx`, /is malformed/],
    ['argon2 of more than 1 GiB', `$argon2id$v=19$m=1048577,t=1,p=1$${salt}$${digest}`, /memory/],
    ['argon2 of less memory than its lanes need', `$argon2id$v=19$m=31,t=1,p=4$${salt}$${digest}`, /memory/],
    ['argon2 of too many passes', `$argon2id$v=19$m=64,t=101,p=1$${salt}$${digest}`, /passes/],
    [
      'argon2 of much memory and many passes',
      `$argon2id$v=19$m=1048576,t=5,p=1$${salt}$${digest}`,
      /times its passes/,
    ],
    ['argon2 of no pass', `$argon2id$v=19$m=64,t=0,p=1$${salt}$${digest}`, /passes/],
    ['argon2 of too many lanes', `$argon2id$v=19$m=65536,t=2,p=65$${salt}$${digest}`, /lanes/],
    ['argon2 with a short salt', `$argon2id$v=19$m=65536,t=2,p=1$c2FsdA$${digest}`, /salt/],
    [
      'argon2 with a digest that could match by chance',
      `$argon2id$v=19$m=65536,t=2,p=1$${salt}$CTFh`,
      /digest/,
    ],
    ['bcrypt of a cost of hours', '$2b$31$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu', /cost/],
    [
      'bcrypt of the broken implementation',
      '$2x$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu',
      /is malformed/,
    ],
    ['truncated bcrypt', '$2b$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2aw', /is malformed/],
    ['scrypt of 2 GiB', `$scrypt$ln=20,r=16,p=1$${salt}$${digest}`, /work/],
    ['scrypt of many lanes', `$scrypt$ln=18,r=8,p=64$${salt}$${digest}`, /work/],
    ['scrypt of an excessive exponent', `$scrypt$ln=99999,r=1,p=1$${salt}$${digest}`, /log2 N/],
    ['scrypt of an N that is not a power of two', `scrypt:30000:8:1$salt$${'ab'.repeat(32)}`, /power of two/],
    ['scrypt with an odd number of hex digits', `scrypt:32768:8:1$salt$${'ab'.repeat(32)}a`, /is malformed/],
    [
      'the scrypt of Firebase without a signer key',
      `$firebase-scrypt$ln=14,r=8,p=1$${salt}$${digest}`,
      /is malformed/,
    ],
    [
      'the scrypt of Firebase with a hash of another length',
      `$firebase-scrypt$ln=14,r=8,p=1,sk=${digest}AAAA,ss=Bw$${salt}$${digest}`,
      /signer key/,
    ],
    ['PBKDF2 of too many iterations', `pbkdf2_sha256$10000001$salt$${digest}`, /iterations/],
    [
      'PBKDF2 of too many iterations in its blocks',
      `$pbkdf2-sha1$i=3000000,l=80$${salt}$${'A'.repeat(107)}`,
      /all blocks/,
    ],
    ['PBKDF2 of no iteration', `pbkdf2:sha256:0$salt$${'ab'.repeat(32)}`, /iterations/],
    ['PBKDF2 of another function', `pbkdf2_md5$1000$salt$${digest}`, /is malformed/],
    [
      'PBKDF2 with a digest of another length than declared',
      `$pbkdf2-sha256$i=1000,l=64$${salt}$${digest}`,
      /length/,
    ],
    ['Werkzeug without a number of iterations', `pbkdf2:sha256$salt$${'ab'.repeat(32)}`, /is malformed/],
    ['a salted directory hash without a salt', '{SSHA}NHj+acfc68FPYrMipEBZ3t8ABGY=', /does not match/],
    [
      'an unsalted directory hash with trailing bytes',
      '{SHA}zLPxfZ3RSNkIwVdHWEyB4Tpr6fT9LiVX',
      /does not match/,
    ],
    [
      'a hash of AIX, which begins like a directory hash',
      '{ssha512}06$aaaaaaaaaaaaaaaa$bbbbbbbbbbbbbbbbbbbb',
      /is malformed/,
    ],
    ['phpass of a billion rounds', '$P$SIQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0', /rounds/],
    ['phpass of too few rounds', '$P$4IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0', /rounds/],
    ['a scheme of Dovecot that cannot be read', '{SHA512-CRYPT}$6$saltstring$svn8UoSVapNtMuq1', /unknown/],
    ['a scheme that names an encoding in front of crypt(3)', `{CRYPT.HEX}${'ab'.repeat(20)}`, /unknown/],
    ['a scheme with an encoding in front of another one', '{CRYPT.B64}e1NIQX0x', /unknown/],
    ["Spring's scheme of directories in front of bcrypt", `{ldap}$2b$05$${'a'.repeat(53)}`, /unknown/],
    [
      "Dovecot's PBKDF2 of a billion iterations",
      `{PBKDF2}$1$salt$1000000000$${'ab'.repeat(20)}`,
      /iterations/,
    ],
    ["Dovecot's PBKDF2 of another version", `{PBKDF2}$2$salt$1000$${'ab'.repeat(20)}`, /malformed/],
    ['a hash of a million characters', `{SSHA}${'A'.repeat(1_000_000)}`, /1000006 characters/],
    ['a hash with a NUL', `pbkdf2_sha256$1000$sa\0lt$${digest}`, /cannot be stored/],
    ['a scheme in front of crypt(3)', '{CRYPT}$6$saltstring$svn8UoSVapNtMuq1', /unknown/],
    [
      'a scheme in front of a second one',
      `{CRYPT}{CRYPT}$argon2id$v=19$m=64,t=1,p=1$${salt}$${digest}`,
      /unknown/,
    ],
    [
      'a scheme in front of a costly argon2',
      `{argon2}$argon2id$v=19$m=1048577,t=1,p=1$${salt}$${digest}`,
      /memory/,
    ],
    [
      "Django's prefix in front of a costly argon2",
      `argon2$argon2id$v=19$m=64,t=101,p=1$${salt}$${digest}`,
      /passes/,
    ],
    [
      'bcrypt_sha256 of a cost of hours',
      'bcrypt_sha256$$2b$31$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu',
      /cost/,
    ],
    [
      'bcrypt of WordPress of a cost of hours',
      '$wp$2y$31$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu',
      /cost/,
    ],
    ["Django's scrypt of 16 GiB", `scrypt$16777216$salt$8$1$${digest}`, /log2 N/],
    ["Django's scrypt of many lanes", `scrypt$262144$salt$8$64$${digest}`, /work/],
    ["Spring's scrypt of an excessive cost", `{scrypt}$ff0801$${salt}$${digest}`, /log2 N/],
    ["Spring's PBKDF2 of another version", `{pbkdf2@SpringSecurity_v9}${'ab'.repeat(40)}`, /malformed/],
    ["Spring's PBKDF2 with the salt of another version", `{pbkdf2}${'ab'.repeat(48)}`, /length/],
    [
      'PBKDF2 of OpenLDAP with too many iterations',
      `{PBKDF2-SHA256}10000001$${salt}$${digest}`,
      /iterations/,
    ],
    ['a short hash of Better Auth', `${'ab'.repeat(16)}:${'ab'.repeat(32)}`, /malformed/],
    ['ASP.NET Identity 3 of too many iterations', aspNet(1, 10_000_001, 16, 48), /iterations/],
    ['ASP.NET Identity 3 of an unknown function', aspNet(3, 1000, 16, 48), /malformed/],
    ['ASP.NET Identity 3 whose salt leaves no digest', aspNet(1, 1000, 48, 48), /digest/],
    ['ASP.NET Identity 3 that ends in its header', aspNet(1, 1000, 16, 0).slice(0, 16), /malformed/],
    ['phpass with an invalid character', '$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r!L0', /is malformed/],
  ];

  for (const [why, hash, reason] of rows) {
    test(`throws UnreadableHash for ${why}`, () => {
      assert.equal(isKnownHash(hash), false);
      assert.throws(
        () => readHash(hash),
        (error) => error instanceof UnreadableHash && reason.test(error.message),
      );
    });
  }

  test('is never quoted in the error message', () => {
    for (const [, hash] of rows) {
      if (hash === '') continue;
      assert.throws(
        () => readHash(hash),
        ({ message }: Error) => !message.includes(hash) && !message.includes(digest),
      );
    }
  });
});

test('every cost that the options allow can also be verified', () => {
  const { hashMemoryKib, hashPasses } = coreOptions;
  assert.equal(hashMemoryKib.parse(String(argon2Bounds.memoryKib[1])), argon2Bounds.memoryKib[1]);
  assert.throws(() => hashMemoryKib.parse(String(argon2Bounds.memoryKib[1] + 1)));
  assert.equal(hashPasses.parse(String(argon2Bounds.passes[1])), argon2Bounds.passes[1]);
  assert.throws(() => hashPasses.parse(String(argon2Bounds.passes[1] + 1)));
  const max = argon2Bounds.kibPasses[1] / argon2Bounds.memoryKib[1];
  const environment = { HASH_MEMORY_KIB: String(argon2Bounds.memoryKib[1]), HASH_PASSES: String(max) };
  assert.equal(readOptions(environment).options.hashPasses, max);
  assert.throws(
    () => readOptions({ ...environment, HASH_PASSES: String(max + 1) }),
    /HASH_MEMORY_KIB times HASH_PASSES/,
  );
});
