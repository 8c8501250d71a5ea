using Contrapose.Unity;
using UnityEngine;

/// <summary>Puts a partner into a scene: give two Humanoid avatars, press Play.</summary>
public sealed class YourOwnAvatar : MonoBehaviour
{
    [Tooltip("The avatar that your player moves.")]
    public Animator player;

    [Tooltip("The avatar that the server moves.")]
    public Animator partner;

    void Start()
    {
        var owner = new GameObject("Contrapose session");
        owner.SetActive(false);
        var session = owner.AddComponent<ContraposeSession>();
        var source = owner.AddComponent<HumanoidPlayer>();
        source.animator = player;
        session.player = source;
        owner.SetActive(true);

        partner.gameObject.SetActive(false);
        var driver = partner.gameObject.AddComponent<PartnerDriver>();
        driver.session = session;
        driver.animator = partner;
        partner.gameObject.SetActive(true);
    }
}
