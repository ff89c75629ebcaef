import { NextStep, VerdictReason } from "../../../gen/faceverification/v1/verdict_pb.ts";
import type { Language, Text } from "../../domain/messages.ts";
import { ErrorReason } from "../../errors.ts";

/** What the pages say. `{host}` is who asks; `{n}` is a number. */
export const WORDS = {
  title: { zh: "身份核验", en: "Identity verification" },
  asks: { zh: "{host} 请您核验身份", en: "{host} asks you to verify your identity" },
  switchTo: { zh: "English", en: "中文" },
  whatHappens: { zh: "接下来会发生什么", en: "What happens next" },
  stepPage: {
    zh: "按下按钮后会打开腾讯云的人脸核身页面。",
    en: "The button opens the face verification page of Tencent Cloud.",
  },
  stepCamera: {
    zh: "该页面会请求使用摄像头，请选择允许，并按提示正对屏幕。",
    en: "That page asks for the camera. Allow it, and look at the screen as it says.",
  },
  stepCompare: {
    zh: "您的面部会与 {host} 提供的姓名和身份证号对应的照片比对，大约一分钟后您会回到这里。",
    en: "Your face is compared with the photo on record for the name and ID number that {host} has given. After about a minute you are back here.",
  },
  start: { zh: "开始核验", en: "Start verification" },
  startHere: { zh: "在这台设备上开始", en: "Start on this device" },
  onComputer: { zh: "使用这台电脑的摄像头", en: "Use the camera of this computer" },
  isPhone: { zh: "这就是手机或平板电脑？", en: "Is this a phone or tablet?" },
  scan: { zh: "用手机扫码继续", en: "Continue on your phone" },
  scanHow: {
    zh: "请用手机相机或浏览器扫描二维码，在手机上完成核验。本页会自动更新。",
    en: "Scan this code with the camera or browser of your phone, and verify there. This page follows by itself.",
  },
  qrLabel: { zh: "此链接的二维码", en: "QR code of this link" },
  minutes: { zh: "此链接还可使用 {n} 分钟。", en: "This link can be used for another {n} min." },
  attempts: { zh: "还可尝试 {n} 次。", en: "Attempts left: {n}." },
  underWay: { zh: "核验正在进行", en: "Verification is under way" },
  underWayHow: {
    zh: "请在已打开的核身页面完成操作。如果页面已关闭，可以再次打开。",
    en: "Finish on the page that has opened. If you have closed it, open it again.",
  },
  reopen: { zh: "再次打开核身页面", en: "Open the verification page again" },
  reading: { zh: "正在读取结果", en: "Your result is being read" },
  readingHow: {
    zh: "核身结果尚未读到，请稍候再查看。",
    en: "It has not arrived yet. Look again in a moment.",
  },
  lookAgain: { zh: "查看结果", en: "Look again" },
  passed: { zh: "核验通过", en: "You are verified" },
  passedHow: {
    zh: "您的身份已核验，可以关闭本页。",
    en: "Your identity is verified. You can close this page.",
  },
  notPassed: { zh: "核验未通过", en: "You could not be verified" },
  expired: { zh: "此链接已失效", en: "This link has ended" },
  expiredHow: {
    zh: "有效时间或次数已用完。如仍需核验，请向 {host} 索取新的链接。",
    en: "Its time or its attempts are used up. Ask {host} for a new link if you still need one.",
  },
  revoked: { zh: "此链接已被撤销", en: "This link was withdrawn" },
  revokedHow: { zh: "请联系 {host}。", en: "Ask {host} about it." },
  goOn: { zh: "返回 {host}", en: "Continue to {host}" },
  back: { zh: "返回", en: "Back" },
  noScript: { zh: "刷新本页可查看最新状态。", en: "Reload this page to see how it stands." },
} as const satisfies Record<string, Text>;

/** Why the last attempt came to nothing, and what to do, by the code with which the vendor's page sent the browser back. */
export const BACK_CODES: Readonly<Record<string, Text>> = {
  "3001": {
    zh: "此浏览器无法录制视频。请用其他浏览器或另一部手机打开此链接。",
    en: "This browser cannot record video. Open this link in another browser or on another phone.",
  },
  "3002": {
    zh: "登录状态丢失。请允许浏览器使用 Cookie，然后重新开始。",
    en: "The session was lost. Allow cookies in your browser, then start again.",
  },
  "3003": {
    zh: "核验中断了。请重新开始，完成前不要切换到其他应用。",
    en: "The verification was interrupted. Start again, and do not switch to another app until it is done.",
  },
  "3004": {
    zh: "没有摄像头权限。请在浏览器中允许使用摄像头，然后重新开始；如不再询问，请清除该网站的数据。",
    en: "The camera was not allowed. Allow it in your browser, then start again; if you are not asked, clear the site's data.",
  },
  "3005": {
    zh: "此浏览器不支持实时检测。请用其他浏览器打开此链接。",
    en: "This browser cannot do the live check. Open this link in another browser.",
  },
  "300101": { zh: "传输出现问题。请重新开始。", en: "Something went wrong on the way. Start again." },
};

export const NOT_FINISHED: Text = {
  zh: "上次核验没有完成。请重新开始。",
  en: "The last verification was not finished. Start again.",
};

/** Why an attempt with a verdict may be tried again. */
export const RETRY_REASONS: Readonly<Partial<Record<VerdictReason, Text>>> = {
  [VerdictReason.CAPTURE_UNUSABLE]: {
    zh: "没有拍清楚。请在光线充足处正对摄像头，不要遮挡面部，再试一次。",
    en: "The picture was not clear. Face the camera in good light, with nothing before your face, and try again.",
  },
  [VerdictReason.LIVENESS_ATTACK]: {
    zh: "未能确认是本人在镜头前。请直接面对摄像头，再试一次。",
    en: "It could not be seen that you are there yourself. Look straight into the camera, and try again.",
  },
};

/** What to do when a link has ended without a pass. */
export const NEXT_STEPS: Readonly<Partial<Record<NextStep, Text>>> = {
  [NextStep.CHECK_INPUT]: {
    zh: "姓名与身份证号不相符。请与 {host} 核对您的信息。",
    en: "Name and ID number do not belong together. Check them with {host}.",
  },
  [NextStep.OTHER_CHANNEL]: {
    zh: "无法在此完成核验。请联系 {host} 使用其他方式。",
    en: "It cannot be done here. Ask {host} for another way.",
  },
  [NextStep.STOP_FOR_TODAY]: {
    zh: "今天的核验次数已用完。请联系 {host}，明天再试。",
    en: "The attempts for today are used up. Ask {host}, and try again tomorrow.",
  },
};

export const ASK_HOST: Text = { zh: "请联系 {host}。", en: "Please ask {host}." };

interface ErrorWords {
  heading: Text;
  advice: Text;
}

const NOT_FOUND: ErrorWords = {
  heading: { zh: "没有此链接", en: "There is no such link" },
  advice: {
    zh: "请检查链接是否完整，或索取新的链接。",
    en: "Check whether it is complete, or ask for a new one.",
  },
};
const BUSY: ErrorWords = {
  heading: { zh: "暂时无法继续", en: "This does not work at the moment" },
  advice: { zh: "与您无关，请稍后再试。", en: "It is not your fault. Try again in a moment." },
};
const OFTEN: ErrorWords = {
  heading: { zh: "操作过于频繁", en: "Too many tries" },
  advice: { zh: "请稍后再试。", en: "Try again in a while." },
};
const UNREADABLE: ErrorWords = {
  heading: { zh: "无法处理此请求", en: "This request cannot be answered" },
  advice: { zh: "请直接打开收到的链接。", en: "Open the link itself, as you received it." },
};

/** What the page of a failed request says; everything that is not listed is trouble that passes. */
const ERRORS: Readonly<Partial<Record<ErrorReason, ErrorWords>>> = {
  [ErrorReason.LINK_NOT_FOUND]: NOT_FOUND,
  [ErrorReason.ROUTE_NOT_FOUND]: NOT_FOUND,
  [ErrorReason.RATE_LIMITED]: OFTEN,
  [ErrorReason.DAILY_LIMIT]: {
    heading: { zh: "今天的核验次数已用完", en: "The attempts for today are used up" },
    advice: { zh: "请明天再试。", en: "Try again tomorrow." },
  },
  [ErrorReason.IDENTITY_REJECTED]: {
    heading: { zh: "姓名或身份证号未被认可", en: "Name or ID number was not accepted" },
    advice: { zh: "请与发送链接的一方核对您的信息。", en: "Check them with whoever sent you the link." },
  },
  [ErrorReason.PERMISSION_DENIED]: UNREADABLE,
  [ErrorReason.MALFORMED_REQUEST]: UNREADABLE,
  [ErrorReason.UNSUPPORTED_MEDIA_TYPE]: UNREADABLE,
  [ErrorReason.PAYLOAD_TOO_LARGE]: UNREADABLE,
};

export const errorWords = (reason: ErrorReason): ErrorWords => ERRORS[reason] ?? BUSY;

/** Fills a text in. */
export const say = (
  text: Text,
  language: Language,
  values: Readonly<Record<string, string | number>> = {},
): string => text[language].replaceAll(/\{(\w+)\}/g, (_whole, name: string) => String(values[name] ?? ""));
